//! Requests of a pipeline, gathered so that they are looked up together and run one after the other.

use arrayvec::ArrayVec;
use resp::Requests;

use crate::engine::FORESEEN;

/// Arguments that are gathered without an allocation.
const FEW_ARGUMENTS: usize = 3 * FORESEEN;

/// Some requests, each as a slice of its arguments.
#[derive(Default)]
pub(crate) struct Batch<'a> {
    few: ArrayVec<&'a [u8], FEW_ARGUMENTS>,
    /// Where each request ends in `few`.
    ends: ArrayVec<usize, FORESEEN>,
    /// The arguments of a request that is too large for `few`: it is alone.
    many: Vec<&'a [u8]>,
}

impl<'a> Batch<'a> {
    /// How many requests it holds.
    pub(crate) fn len(&self) -> usize {
        self.ends.len().max(usize::from(!self.many.is_empty()))
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
        (index..self.len()).map(|index| self.at(index))
    }

    /// Replaces what it holds by the next requests, at most `most`, as many as there is room for and at least one.
    pub(crate) fn fill(&mut self, requests: &mut Requests<'a>, most: usize) {
        self.few.clear();
        self.ends.clear();
        self.many.clear();
        while self.ends.len() < most.min(FORESEEN) {
            let mut rest = *requests;
            let Some(request) = rest.next() else { break };
            if request.len() <= self.few.remaining_capacity() {
                self.few.extend(request.iter());
                self.ends.push(self.few.len());
                *requests = rest;
                continue;
            }
            if self.ends.is_empty() {
                self.many.extend(request.iter());
                *requests = rest;
            }
            break;
        }
    }
}
