//! Requests of a pipeline, gathered so that they are looked up together and run one after the other.

use resp::Requests;

use crate::engine::FORESEEN;

/// Arguments that are gathered without an allocation.
const FEW_ARGUMENTS: usize = 3 * FORESEEN;

/// Some requests, each as a slice of its arguments.
pub(crate) struct Batch<'a> {
    few: [&'a [u8]; FEW_ARGUMENTS],
    /// Where each request ends in `few`.
    ends: [usize; FORESEEN],
    len: usize,
    /// The arguments of a request that is too large for `few`: it is alone.
    many: Vec<&'a [u8]>,
}

impl<'a> Batch<'a> {
    pub(crate) fn new() -> Self {
        Self {
            few: [&[]; FEW_ARGUMENTS],
            ends: [0; FORESEEN],
            len: 0,
            many: Vec::new(),
        }
    }

    /// How many requests it holds.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The arguments of the request at `index`.
    pub(crate) fn at(&self, index: usize) -> &[&'a [u8]] {
        if !self.many.is_empty() {
            return &self.many;
        }
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.few[start..self.ends[index]]
    }

    /// The requests from `index` on.
    pub(crate) fn from(&self, index: usize) -> impl Iterator<Item = &[&'a [u8]]> {
        (index..self.len).map(|index| self.at(index))
    }

    /// Replaces what it holds by the next requests, at most `most`, as many as there is room for and at least one.
    pub(crate) fn fill(&mut self, requests: &mut Requests<'a>, most: usize) {
        self.len = 0;
        self.many.clear();
        let mut end = 0;
        while self.len < most.min(FORESEEN) {
            let mut rest = *requests;
            let Some(request) = rest.next() else { break };
            if let Some(room) = self.few.get_mut(end..end + request.len()) {
                for (place, arg) in room.iter_mut().zip(request.iter()) {
                    *place = arg;
                }
                end += request.len();
                self.ends[self.len] = end;
            } else if self.len == 0 {
                self.many.extend(request.iter());
            } else {
                break;
            }
            self.len += 1;
            *requests = rest;
            if !self.many.is_empty() {
                break;
            }
        }
    }
}
