//! Random stories: the real session and the real planner against a [simulated kernel](crate::testing::kernel).
//!
//! A story is a gate and a list of [steps](story::Step): operations on the kernel, pieces of its work, inputs of the
//! session, time, losses and failures. After each step the truth is known, because the kernel is known. A gate must
//! not open while the truth is that it is shut, and when nothing is left to do the verdict must be the truth.
//!
//! A seed makes a story. A story that fails is shortened for as long as it still fails, and printed in words. Such a
//! story is kept in `simulate/kept.rs`.
//!
//! `make simulate SECONDS=60` runs stories for that long; `SEED=` sets the first seed.

mod kept;
mod shrink;
mod story;
mod truth;
mod world;

use shrink::shortest;
pub use story::{Step, Story};
pub use world::World;

/// How many stories a thread runs between two looks at the clock.
const ROUND: u64 = 2000;
/// How many stories `cargo test` runs.
const STORIES: u64 = 1500;

/// How many steps of the kernel and of the session were done.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    stories: u64,
    steps: u64,
    opened: u64,
}

impl Tally {
    fn add(&mut self, other: Tally) {
        self.stories += other.stories;
        self.steps += other.steps;
        self.opened += other.opened;
    }
}

/// Runs the story of a seed. The error is the shortest story that fails in the same way.
fn run(seed: u64, tally: &mut Tally) -> Result<(), String> {
    let story = Story::of_seed(seed);
    let mut world = World::new(&story);
    let played = world.play(&story.steps);
    tally.add(Tally { stories: 1, steps: world.steps, opened: u64::from(world.opened) });
    played.map_err(|why| format!("SEED={seed}: {why}\n\n{}\n", shortest(story, &why)))
}

/// Runs so many stories and panics with those that fail, a few at most.
fn run_all(seeds: core::ops::Range<u64>) -> Tally {
    const FEW: usize = 6;
    let mut tally = Tally::default();
    let failed = seeds.filter_map(|seed| run(seed, &mut tally).err());
    let failed: Vec<String> = failed.take(FEW).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    tally
}

#[test]
fn no_random_story_makes_a_gate_lie() {
    let tally = run_all(0..STORIES);
    assert!(tally.opened > STORIES / 5, "the stories hardly ever open a gate: {tally:?}");
}

/// As long as it is told to: `make simulate`.
#[test]
#[ignore = "runs for the time in NETREADY_SIMULATE_SECONDS"]
#[allow(clippy::disallowed_methods, reason = "it measures how fast the simulation is")]
fn for_a_while() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seconds = number("NETREADY_SIMULATE_SECONDS").unwrap_or(10);
    let first = number("NETREADY_SIMULATE_SEED").unwrap_or(1_000_000);
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let began = std::time::Instant::now();
    let mut tally = Tally::default();
    let mut done = first;
    while began.elapsed().as_secs() < seconds {
        // The threads share the work, and failures are reported between two rounds.
        let rounds = std::thread::scope(|scope| {
            let work = |worker| move || run_all(done + worker * ROUND..done + (worker + 1) * ROUND);
            let workers: Vec<_> = (0..threads).map(|worker| scope.spawn(work(worker))).collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).collect::<Vec<Tally>>()
        });
        rounds.into_iter().for_each(|round| tally.add(round));
        done += threads * ROUND;
    }
    let Tally { stories, steps, opened } = tally;
    let minutes = began.elapsed().as_secs_f64() / 60.0;
    println!(
        "{stories} stories from seed {first} on, {opened} gates opened, {steps} steps, {:.1} million steps a minute",
        steps as f64 / minutes / 1e6
    );
}
