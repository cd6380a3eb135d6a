//! What a stream puts down for whoever goes on with it after a panic.

use std::os::fd::AsFd;

use super::{Route, Stream};
use crate::rehearsal;
use crate::sys::lifeline::{self, Flow, Part};

impl Stream {
    /// To be called whenever a step has been made, and before anybody else sees what was taken.
    pub(super) fn tell(&self) {
        let pending = Part::Memory(&self.buffer[self.pending.clone()]);
        let parts = match &self.route {
            Route::Hold(held) => {
                let [memory, file, over] = held.parts(0);
                [memory, file, over, pending]
            }
            Route::Show(held, at) => {
                let [memory, file, over] = held.parts(*at);
                [pending, memory, file, over]
            }
            Route::Pass | Route::Nowhere => [pending, Part::NONE, Part::NONE, Part::NONE],
        };
        let (to, most) = self.to.piecemeal();
        let source = self.source.as_ref().map(AsFd::as_fd);
        lifeline::flows(self.place, Some(&Flow { parts, source, gone_on: self.teed, to, most }));
        if self.teed > 0 {
            rehearsal::of_a_panic("output that has gone on");
        }
    }
}

/// Nobody goes on with what is no more.
impl Drop for Stream {
    fn drop(&mut self) {
        lifeline::flows(self.place, None);
    }
}
