//! Shortens a story for as long as it fails in the same way.

use super::story::{Step, Story};
use super::world::World;

fn fails(story: &Story, why: &str) -> bool {
    World::new(story).play(&story.steps).is_err_and(|now| now == why)
}

/// The shortest story that can be had of this one by leaving steps out and by making numbers smaller.
pub fn shortest(mut story: Story, why: &str) -> Story {
    loop {
        let before = story.clone();
        let mut size = story.steps.len();
        while size > 0 {
            let mut at = 0;
            while at < story.steps.len() {
                let mut shorter = story.clone();
                shorter.steps.drain(at..(at + size).min(story.steps.len()));
                if fails(&shorter, why) {
                    story = shorter;
                } else {
                    at += size;
                }
            }
            size /= 2;
        }
        for at in 0..story.steps.len() {
            while let Some(smaller) = smaller(&story, at, why) {
                story = smaller;
            }
        }
        if !story.settle.is_zero() {
            let without = Story { settle: core::time::Duration::ZERO, ..story.clone() };
            if fails(&without, why) {
                story = without;
            }
        }
        if story == before {
            return story;
        }
    }
}

fn smaller(story: &Story, at: usize, why: &str) -> Option<Story> {
    let step: &Step = story.steps.get(at)?;
    let tries = [0, 1, 2, 5, 10, 50, 100, 500, 1000, 2000];
    let smaller = tries.into_iter().filter_map(|number| step.with_number(number));
    let stories = smaller.map(|step| {
        let mut story = story.clone();
        story.steps[at] = step;
        story
    });
    stories.into_iter().find(|story| fails(story, why))
}
