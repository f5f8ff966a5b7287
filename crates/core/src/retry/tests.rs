use super::*;
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

fn at(seconds: u64) -> Moment {
    Moment::after_boot(Duration::from_secs(seconds))
}

fn course(retries: Option<u32>, max_elapsed: Option<u64>) -> Course {
    let backoff = Backoff { base: 2 * SECOND, cap: 60 * SECOND };
    Course::new(backoff, Limits { retries, max_elapsed: max_elapsed.map(Duration::from_secs) }, at(0))
}

#[test]
fn ceilings_double_up_to_the_cap() {
    let backoff = Backoff { base: 2 * SECOND, cap: 60 * SECOND };
    let ceilings: Vec<u64> = (0..8).map(|n| backoff.ceiling(n).as_secs()).collect();
    assert_eq!(ceilings, [2, 4, 8, 16, 32, 60, 60, 60]);
    assert_eq!(backoff.ceiling(31), 60 * SECOND);
    assert_eq!(backoff.ceiling(32), 60 * SECOND);
    assert_eq!(backoff.ceiling(u32::MAX), 60 * SECOND);
    let none = Backoff { base: Duration::ZERO, cap: 60 * SECOND };
    assert_eq!(none.ceiling(5), Duration::ZERO);
}

#[test]
fn every_kind_of_failure() {
    let give_up = Next::GiveUp(GiveUp::Final);
    let last = 0.999_999;
    for (again, now, chance, next) in [
        (Again::Never, 0, 0.0, give_up),
        (Again::Later, 0, 0.0, Next::After(Duration::ZERO)),
        (Again::Later, 0, 0.5, Next::After(SECOND)),
        (Again::AtBootOnly, 599, 0.5, Next::After(SECOND)),
        (Again::AtBootOnly, 600, 0.5, give_up),
        (Again::Limited(None), 0, 0.0, Next::After(30 * SECOND)),
        (Again::Limited(None), 0, 0.5, Next::After(45 * SECOND)),
        (Again::Limited(Some(20 * SECOND)), 0, 0.0, Next::After(20 * SECOND)),
        (Again::Limited(Some(20 * SECOND)), 0, 0.5, Next::After(22 * SECOND)),
    ] {
        assert_eq!(course(None, None).failed(again, at(now), chance), next, "{again:?} at {now}");
    }
    let Next::After(delay) = course(None, None).failed(Again::Later, at(0), last) else { panic!() };
    assert!(delay < 2 * SECOND);
}

#[test]
fn retries_are_counted_and_a_final_failure_is_told_from_the_last_retry() {
    let mut course = course(Some(2), None);
    assert_eq!((course.attempt(), course.last_attempt()), (1, Some(3)));
    assert_eq!(course.failed(Again::Later, at(0), 0.5), Next::After(SECOND));
    assert_eq!(course.failed(Again::Later, at(0), 0.5), Next::After(2 * SECOND));
    assert_eq!(course.attempt(), 3);
    assert_eq!(course.clone().failed(Again::Never, at(0), 0.5), Next::GiveUp(GiveUp::Final));
    assert_eq!(course.failed(Again::Later, at(0), 0.5), Next::GiveUp(GiveUp::NoMoreRetries));
}

#[test]
fn what_is_ambiguous_is_final_late_but_not_right_after_what_can_pass() {
    let late = at(3600);
    let mut course = course(None, None);
    assert_eq!(course.clone().failed(Again::AtBootOnly, late, 0.5), Next::GiveUp(GiveUp::Final));
    for passing in [Again::Later, Again::Limited(None)] {
        assert_ne!(course.failed(passing, late, 0.5), Next::GiveUp(GiveUp::Final));
        assert_ne!(course.failed(Again::AtBootOnly, late, 0.5), Next::GiveUp(GiveUp::Final));
        assert_eq!(course.clone().failed(Again::AtBootOnly, late, 0.5), Next::GiveUp(GiveUp::Final));
    }
    assert_ne!(course.failed(Again::AtBootOnly, at(599), 0.5), Next::GiveUp(GiveUp::Final));
    assert_eq!(course.failed(Again::AtBootOnly, at(600), 0.5), Next::GiveUp(GiveUp::Final));
}

#[test]
fn nothing_is_begun_after_the_time_is_up() {
    let mut course = course(None, Some(10));
    assert_eq!(course.deadline(), Some(at(10)));
    assert_eq!(course.failed(Again::Later, at(8), 0.5), Next::After(SECOND));
    assert_eq!(course.failed(Again::Later, at(9), 0.9), Next::GiveUp(GiveUp::TimeUp));
    assert_eq!(course.failed(Again::Later, at(11), 0.0), Next::GiveUp(GiveUp::TimeUp));
}

#[test]
fn a_rate_limit_does_not_lengthen_the_other_delays() {
    let mut course = course(None, None);
    assert_eq!(course.failed(Again::Limited(None), at(0), 0.5), Next::After(45 * SECOND));
    assert_eq!(course.failed(Again::Limited(None), at(0), 0.5), Next::After(60 * SECOND));
    assert_eq!(course.failed(Again::Later, at(0), 0.5), Next::After(SECOND));
}

fn again() -> impl Strategy<Value = Again> {
    prop_oneof![
        4 => Just(Again::Later),
        1 => Just(Again::AtBootOnly),
        1 => proptest::option::of(0_u64..100).prop_map(|told| Again::Limited(told.map(Duration::from_secs))),
    ]
}

proptest! {
    #[test]
    fn delays_stay_below_their_ceiling(base in 0_u64..1000, cap in 0_u64..1000, n in 0_u32..100, chance in 0.0..1.0) {
        let backoff = Backoff { base: Duration::from_millis(base), cap: Duration::from_millis(cap) };
        prop_assert!(backoff.ceiling(n) <= backoff.ceiling(n + 1));
        prop_assert!(backoff.delay(n, chance) <= backoff.ceiling(n));
        prop_assert!(backoff.ceiling(n) <= backoff.cap);
    }

    #[test]
    fn attempts_and_time_are_bounded(
        retries in 0_u32..20,
        elapsed in 0_u64..2000,
        failures in proptest::collection::vec((again(), 0.0..1.0, 0_u64..30), 0..60),
    ) {
        let limits = Limits { retries: Some(retries), max_elapsed: Some(Duration::from_secs(elapsed)) };
        let mut course = Course::new(Backoff { base: SECOND, cap: 60 * SECOND }, limits, at(5));
        let mut now = at(5);
        let mut begun = 1;
        for (again, chance, took) in failures {
            now = now + Duration::from_secs(took);
            match course.failed(again, now, chance) {
                Next::GiveUp(_) => break,
                Next::After(delay) => {
                    now = now + delay;
                    begun += 1;
                    prop_assert!(now < at(5 + elapsed));
                }
            }
        }
        prop_assert!(begun <= retries + 1);
        prop_assert_eq!(Some(retries + 1), course.last_attempt());
    }

    #[test]
    fn a_limit_that_was_told_is_kept(told in 0_u64..100_000, chance in 0.0..1.0) {
        let told = Duration::from_secs(told);
        let Next::After(delay) = course(None, None).failed(Again::Limited(Some(told)), at(0), chance) else { panic!() };
        prop_assert!(delay >= told);
    }
}
