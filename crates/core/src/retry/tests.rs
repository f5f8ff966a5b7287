use super::*;
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

fn at(seconds: u64) -> Moment {
    Moment::after_boot(Duration::from_secs(seconds))
}

fn attempts(retries: Option<u32>, max_elapsed: Option<u64>) -> Attempts {
    let backoff = Backoff { base: 2 * SECOND, cap: 60 * SECOND };
    Attempts::new(backoff, Limits { retries, max_elapsed: max_elapsed.map(Duration::from_secs) }, at(0))
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
    let give_up = RetryDecision::GiveUp(GiveUp::Final);
    let last = 0.999_999;
    for (again, now, chance, next) in [
        (Retryability::Never, 0, 0.0, give_up),
        (Retryability::Later, 0, 0.0, RetryDecision::After(Duration::ZERO)),
        (Retryability::Later, 0, 0.5, RetryDecision::After(SECOND)),
        (Retryability::AtBootOnly, 599, 0.5, RetryDecision::After(SECOND)),
        (Retryability::AtBootOnly, 600, 0.5, give_up),
        (Retryability::Limited(None), 0, 0.0, RetryDecision::After(30 * SECOND)),
        (Retryability::Limited(None), 0, 0.5, RetryDecision::After(45 * SECOND)),
        (Retryability::Limited(Some(20 * SECOND)), 0, 0.0, RetryDecision::After(20 * SECOND)),
        (Retryability::Limited(Some(20 * SECOND)), 0, 0.5, RetryDecision::After(22 * SECOND)),
    ] {
        assert_eq!(attempts(None, None).failed(again, at(now), chance), next, "{again:?} at {now}");
    }
    let RetryDecision::After(delay) = attempts(None, None).failed(Retryability::Later, at(0), last) else {
        panic!()
    };
    assert!(delay < 2 * SECOND);
}

#[test]
fn retries_are_counted_and_a_final_failure_is_told_from_the_last_retry() {
    let mut attempts = attempts(Some(2), None);
    assert_eq!((attempts.attempt(), attempts.last_attempt()), (1, Some(3)));
    assert_eq!(attempts.failed(Retryability::Later, at(0), 0.5), RetryDecision::After(SECOND));
    assert_eq!(attempts.failed(Retryability::Later, at(0), 0.5), RetryDecision::After(2 * SECOND));
    assert_eq!(attempts.attempt(), 3);
    assert_eq!(
        attempts.clone().failed(Retryability::Never, at(0), 0.5),
        RetryDecision::GiveUp(GiveUp::Final)
    );
    assert_eq!(
        attempts.failed(Retryability::Later, at(0), 0.5),
        RetryDecision::GiveUp(GiveUp::NoMoreRetries)
    );
}

#[test]
fn an_ambiguous_failure_is_final_late_unless_it_follows_a_temporary_one() {
    let late = at(3600);
    let mut attempts = attempts(None, None);
    assert_eq!(
        attempts.clone().failed(Retryability::AtBootOnly, late, 0.5),
        RetryDecision::GiveUp(GiveUp::Final)
    );
    for passing in [Retryability::Later, Retryability::Limited(None)] {
        assert_ne!(attempts.failed(passing, late, 0.5), RetryDecision::GiveUp(GiveUp::Final));
        assert_ne!(
            attempts.failed(Retryability::AtBootOnly, late, 0.5),
            RetryDecision::GiveUp(GiveUp::Final)
        );
        assert_eq!(
            attempts.clone().failed(Retryability::AtBootOnly, late, 0.5),
            RetryDecision::GiveUp(GiveUp::Final)
        );
    }
    assert_ne!(attempts.failed(Retryability::AtBootOnly, at(599), 0.5), RetryDecision::GiveUp(GiveUp::Final));
    assert_eq!(attempts.failed(Retryability::AtBootOnly, at(600), 0.5), RetryDecision::GiveUp(GiveUp::Final));
}

#[test]
fn nothing_is_begun_after_the_time_is_up() {
    let mut attempts = attempts(None, Some(10));
    assert_eq!(attempts.deadline(), Some(at(10)));
    assert_eq!(attempts.failed(Retryability::Later, at(8), 0.5), RetryDecision::After(SECOND));
    assert_eq!(attempts.failed(Retryability::Later, at(9), 0.9), RetryDecision::GiveUp(GiveUp::TimeUp));
    assert_eq!(attempts.failed(Retryability::Later, at(11), 0.0), RetryDecision::GiveUp(GiveUp::TimeUp));
}

#[test]
fn a_rate_limit_does_not_lengthen_the_other_delays() {
    let mut attempts = attempts(None, None);
    assert_eq!(attempts.failed(Retryability::Limited(None), at(0), 0.5), RetryDecision::After(45 * SECOND));
    assert_eq!(attempts.failed(Retryability::Limited(None), at(0), 0.5), RetryDecision::After(60 * SECOND));
    assert_eq!(attempts.failed(Retryability::Later, at(0), 0.5), RetryDecision::After(SECOND));
}

#[test]
fn a_rate_limit_is_waited_out_for_half_a_minute_at_least_and_ten_minutes_at_most() {
    let mut attempts = attempts(None, None);
    for _ in 0..10 {
        attempts.failed(Retryability::Limited(None), at(0), 0.5);
    }
    for (chance, seconds) in [(0.0, 30), (0.5, 315), (1.0, 600)] {
        let delay = attempts.clone().failed(Retryability::Limited(None), at(0), chance);
        assert_eq!(delay, RetryDecision::After(seconds * SECOND));
    }
}

fn again() -> impl Strategy<Value = Retryability> {
    prop_oneof![
        4 => Just(Retryability::Later),
        1 => Just(Retryability::AtBootOnly),
        1 => proptest::option::of(0_u64..100).prop_map(|told| Retryability::Limited(told.map(Duration::from_secs))),
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
        let mut attempts = Attempts::new(Backoff { base: SECOND, cap: 60 * SECOND }, limits, at(5));
        let mut now = at(5);
        let mut begun = 1;
        for (again, chance, took) in failures {
            now = now + Duration::from_secs(took);
            match attempts.failed(again, now, chance) {
                RetryDecision::GiveUp(_) => break,
                RetryDecision::After(delay) => {
                    now = now + delay;
                    begun += 1;
                    prop_assert!(now < at(5 + elapsed));
                }
            }
        }
        prop_assert!(begun <= retries + 1);
        prop_assert_eq!(Some(retries + 1), attempts.last_attempt());
    }

    #[test]
    fn a_wait_that_the_registry_asks_for_is_kept(told in 0_u64..100_000, chance in 0.0..1.0) {
        let told = Duration::from_secs(told);
        let RetryDecision::After(delay) = attempts(None, None).failed(Retryability::Limited(Some(told)), at(0), chance) else { panic!() };
        prop_assert!(delay >= told);
    }
}
