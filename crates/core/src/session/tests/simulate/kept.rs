//! Stories that failed once, in their shortest form.

use super::story::Story;
use super::world::World;

/// What was wrong, and the story.
const KEPT: &[(&str, &str)] = &[];

#[test]
fn stories_that_failed_once_fail_no_more() {
    for (what, text) in KEPT {
        let story: Story = text.parse().unwrap();
        assert_eq!(text.parse::<Story>().unwrap().to_string().parse::<Story>().unwrap(), story);
        if let Err(why) = World::new(&story).play(&story.steps) {
            panic!("{what}: {why}\n{story}");
        }
    }
}
