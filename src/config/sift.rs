//! What files say is weighed before it counts: a value that means nothing is left out and reported, and
//! the run goes on with the next level's.

use super::{Given, Levels, Place};
use crate::settings::UsageError;

/// Says whether a plan can be made of some levels.
pub type Judge<'a> = dyn Fn(&Levels) -> Result<(), UsageError> + 'a;

impl Levels {
    /// Leaves out the values of files that mean nothing, those that contradict others of their section,
    /// and those that contradict what stands nearer. What was typed or set is never left out: if that
    /// is wrong in itself, it is a usage error and nobody's problem here.
    pub fn sift(&mut self, judge: &Judge<'_>) {
        let typed = self.given.partition_point(|given| !given.origin.level.is_of_files());
        let mut of_files = self.given.split_off(typed).into_iter().peekable();
        let mut sound = Vec::new();
        // Each section by itself, so that also a value which a nearer one hides is judged.
        while let Some(level) = of_files.peek().map(|given| given.origin.level) {
            let section = std::iter::from_fn(|| of_files.next_if(|given| given.origin.level == level));
            let mut alone = Self::default();
            let problems = alone.add_sound(section.collect(), judge);
            sound.append(&mut alone.given);
            self.add_problems(problems);
        }
        if !sound.is_empty() {
            let problems = self.add_sound(sound, judge);
            self.add_problems(problems);
        }
    }

    /// Adds values of files; one by one if a plan cannot be made of all of them. Returns what is wrong.
    fn add_sound(&mut self, values: Vec<Given>, judge: &Judge<'_>) -> Vec<(Place, String)> {
        let mut problems = Vec::new();
        let before = self.given.len();
        self.given.extend(values);
        if judge(self).is_ok() {
            return problems;
        }
        let values = self.given.split_off(before);
        if judge(self).is_err() {
            self.given.extend(values);
            return problems;
        }
        for given in values {
            let place = given.origin.place.clone();
            self.given.push(given);
            if let (Err(why), Some(place)) = (judge(self), place) {
                self.given.pop();
                problems.push((place, why.to_string()));
            }
        }
        problems
    }

    fn add_problems(&mut self, problems: Vec<(Place, String)>) {
        for (place, what) in problems {
            self.add_problem(place, what);
        }
    }

    /// Puts others in the place of all values.
    pub fn replace(&mut self, with: impl FnOnce(Vec<Given>) -> Vec<Given>) {
        self.given = with(std::mem::take(&mut self.given));
    }
}
