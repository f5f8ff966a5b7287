//! A gate that the kernel command line opens (`netready.open`).

use core::time::Duration;

use super::{Bench, NO_ROUTE, WANTS_ROUTE, WORKS, at};
use crate::gate_state::{Came, OpenedBy, Phase};
use crate::kernel_line::Forced;
use crate::requirement::Gate;
use crate::session::{Ended, Input, Mode, Next};
use crate::testing::gate;

fn forced() -> Gate {
    let forced = Forced { open: true, bounded: false };
    Gate { forced, settle: Duration::from_secs(10), ..gate(WANTS_ROUTE) }
}

#[test]
fn it_opens_at_the_first_look_and_is_watched() {
    let mut bench = Bench::looked(Mode::Watch, forced(), NO_ROUTE);
    assert_eq!(bench.opened, 1);
    assert_eq!(bench.phase(), Phase::Opened { after: Duration::ZERO, by: OpenedBy::KernelLine });
    bench.now = at(3000);
    bench.sees(WORKS);
    assert_eq!(bench.phase(), Phase::Ready { came: Came::First { after: Duration::from_secs(3) } });
    assert_eq!(bench.opened, 1);
}

#[test]
fn a_wait_ends_at_the_first_look() {
    for (kernel, ready) in [(NO_ROUTE, false), (WORKS, true)] {
        let bench = Bench::looked(Mode::UntilOpen, forced(), kernel);
        let Next::End(Ended::Opened(phase)) = bench.next else { panic!("{:?}", bench.next) };
        assert_eq!(matches!(phase, Phase::Ready { .. }), ready, "{phase:?}");
    }
}

#[test]
fn a_kernel_that_does_not_answer_holds_it_up_for_a_moment_only() {
    let mut bench = Bench::new(Mode::Watch, forced(), NO_ROUTE);
    assert!(matches!(bench.step(Input::Dry).next, Next::Read(_)));
    assert_eq!(bench.deadline(), Some(100));
    bench.now = at(100);
    assert!(bench.step(Input::Wake).open);
    assert_eq!(bench.opened, 1);
}

#[test]
fn a_check_tells_the_truth_all_the_same() {
    let bench = Bench::looked(Mode::Once { probes: true }, forced(), NO_ROUTE);
    assert_eq!(bench.next, Next::End(Ended::Judged));
    assert!(!bench.session.verdict().ready());
    assert_eq!(bench.opened, 0);
}
