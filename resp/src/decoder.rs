//! Frames out of bytes as they come: resumable, without I/O, linear in the bytes however they are cut.

use alloc::vec::Vec;
use core::fmt;

use crate::frame::{FrameRef, Items, Kind, Node};
use crate::grammar::{Element, Fault, element, line_break, short_decimal};
use crate::{Error, ErrorKind, Limits};

/// Reads replies, or any frames, from bytes that arrive in pieces of any size.
///
/// The caller owns the buffer. It appends what arrives, calls [`decode`](Self::decode), uses the frames and
/// drops the [`consumed`](Frames::consumed) bytes from the front. What belongs to a frame that is not yet
/// whole stays in the buffer, unchanged, and is not looked at again: the decoder remembers how far it came.
///
/// The decoder allocates 16 bytes for each element, when the element arrives, and reuses them.
///
/// ```
/// use resp::{Decoder, Limits};
///
/// let mut decoder = Decoder::new(Limits::client());
/// let mut buffer = Vec::new();
/// let mut lines = Vec::new();
/// for piece in [&b"+OK\r\n*2\r\n:1\r\n$3\r\nab"[..], b"c\r\n_\r", b"\n"] {
///     buffer.extend_from_slice(piece);
///     let frames = decoder.decode(&buffer)?;
///     lines.extend(frames.iter().map(|frame| frame.to_string()));
///     let consumed = frames.consumed();
///     buffer.drain(..consumed);
/// }
/// assert_eq!(lines, ["simple \"OK\"", "array [integer 1, bulk \"abc\"]", "null"]);
/// # Ok::<(), resp::Error>(())
/// ```
pub struct Decoder {
    limits: Limits,
    /// Finished frames of the last call, then the one under way; spans count from the buffer's start.
    nodes: Vec<Node>,
    open: Vec<Open>,
    /// The first node of the frame under way.
    frame_node: usize,
    /// Where in the buffer the frame under way starts: what the caller has to drop before the next call.
    frame_at: usize,
    /// Where in the buffer the next element starts.
    at: usize,
    /// The buffer length from which on it is worth looking at the next element.
    needed: usize,
    /// Bytes of the next element known to hold no end of line.
    scanned: usize,
    /// What is left of [`Limits::frame_elements`].
    budget: usize,
    /// Bytes dropped from the front of the buffer so far.
    offset: u64,
    error: Option<Error>,
}

/// An aggregate whose elements are not all there.
#[derive(Clone, Copy)]
struct Open {
    node: u32,
    /// Elements to come; in a streamed aggregate those that came.
    count: u32,
    shape: Shape,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Counted,
    /// Its last element is the value that it describes, which stands at the attribute's own level.
    Attribute,
    Streamed,
    StreamedMap,
    StreamedString,
}

impl Shape {
    fn is_counted(self) -> bool {
        matches!(self, Self::Counted | Self::Attribute)
    }
}

/// A scalar of the types that come by the million.
struct Scalar {
    kind: Kind,
    /// Bytes from the type byte to the payload.
    header: usize,
    len: usize,
}

/// The scalar at the start of `input`, if it is whole and as common as they come, or how many bytes of its payload
/// are missing; whatever else there is, valid or not, is for [`element`] to judge, and 0 is missing.
#[inline(always)]
#[allow(clippy::inline_always)] // It is the body of two hot loops.
fn common_scalar(input: &[u8], limits: &Limits) -> Result<Scalar, usize> {
    let (kind, header, len, end) = match input {
        [b'$', after @ ..] => {
            let (rest, len, digits) = short_decimal(after).ok_or(0_usize)?;
            let len = usize::try_from(len).map_err(|_| 0_usize)?;
            if len > limits.bulk_bytes || (digits > 1 && after[0] == b'0') {
                return Err(0);
            }
            match rest.get(len..) {
                Some(end @ [_, _, ..]) => (Kind::BulkString, 3 + digits, len, end),
                _ => return Err(len + 2 - rest.len()),
            }
        }
        // The most common line: a comparison can be predicted, a search has to be waited for.
        [b'+', b'O', b'K', end @ ..] if end.starts_with(b"\r\n") => (Kind::SimpleString, 1, 2, end),
        [b'+', after @ ..] => {
            let len = line_break(after).ok_or(0_usize)?;
            if len > limits.line_bytes {
                return Err(0);
            }
            (Kind::SimpleString, 1, len, &after[len..])
        }
        [b':', after @ ..] => {
            let digits = after
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            if digits == 0 || digits > 18 || (digits > 1 && after[0] == b'0') {
                return Err(0);
            }
            (Kind::Integer, 1, digits, &after[digits..])
        }
        _ => return Err(0),
    };
    if end.starts_with(b"\r\n") {
        Ok(Scalar { kind, header, len })
    } else {
        Err(0)
    }
}

/// The most common frame.
const OK: &[u8] = b"+OK\r\n";

/// Bytes of an unfinished line from which on it isn't parsed again for each piece that arrives.
const LONG_LINE: usize = 64;

/// Bytes that are worth looking at in a frame that is known to lack as many and more: less, and a call costs more than they do.
const PORTION: usize = 4 << 10;

/// The shortest element.
const SHORTEST: usize = b"_\r\n".len();

/// Tape memory worth keeping for the next frames, in nodes.
const KEPT_NODES: usize = 64 << 10;

impl Decoder {
    /// A decoder at the start of a stream.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            nodes: Vec::new(),
            open: Vec::new(),
            frame_node: 0,
            frame_at: 0,
            at: 0,
            needed: 0,
            scanned: 0,
            budget: 0,
            offset: 0,
            error: None,
        }
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Puts other limits in force. For a frame under way they hold from its next element on, but for the
    /// budget of elements, which holds from the next frame on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Every whole frame at the start of `buffer`, which begins with the bytes that the last call didn't consume.
    ///
    /// Takes time linear in the bytes added since the last call. A frame that is known to lack 4 KiB and more, by the number
    /// of elements that it announced, is looked at when so many have come: a fault in it is told that much later, at most.
    ///
    /// # Errors
    /// When the frame that comes next breaks the protocol or the limits. Frames before it are returned first,
    /// and the error by the next call. It is then returned by each call until [`reset`](Self::reset).
    pub fn decode<'a>(&'a mut self, buffer: &'a [u8]) -> Result<Frames<'a>, Error> {
        self.run(buffer, usize::MAX)
    }

    /// The next frame alone, or nothing while it is not whole; the same as [`decode`](Self::decode) otherwise.
    ///
    /// The bytes to drop are those of [`FrameRef::wire`].
    ///
    /// # Errors
    /// When the frame breaks the protocol or the limits, as [`decode`](Self::decode).
    pub fn decode_one<'a>(&'a mut self, buffer: &'a [u8]) -> Result<Option<FrameRef<'a>>, Error> {
        self.run(buffer, 1).map(|frames| frames.iter().next())
    }

    /// How many bytes are missing at least before the frame under way, or the next one, can be whole.
    ///
    /// It may be as much as [`Limits::bulk_bytes`]: a hint for reading, not for allocating.
    pub fn missing(&self, buffer: &[u8]) -> usize {
        (self.needed.max(self.at) - self.frame_at)
            .saturating_sub(buffer.len())
            .max(1)
    }

    /// Bytes consumed since the decoder was made or reset: the stream offset of what comes next.
    pub fn offset(&self) -> u64 {
        self.offset + self.frame_at as u64
    }

    /// Forgets an error, and the frame under way: the decoder is as new, its memory kept.
    pub fn reset(&mut self) {
        let nodes = core::mem::take(&mut self.nodes);
        let open = core::mem::take(&mut self.open);
        *self = Self {
            nodes,
            open,
            ..Self::new(self.limits)
        };
        self.nodes.clear();
        self.open.clear();
    }

    fn run<'a>(&'a mut self, buffer: &'a [u8], most: usize) -> Result<Frames<'a>, Error> {
        if let Some(error) = self.error {
            return Err(error);
        }
        self.drop_finished();
        let mut frames = 0;
        if buffer.len() >= self.needed.max(self.at)
            && let Err(Stop { kind, at }) = self.frames(buffer, most, &mut frames)
        {
            let error = Error {
                kind,
                offset: self.offset + at as u64,
            };
            self.error = Some(error);
            if frames == 0 {
                return Err(error);
            }
        }
        Ok(Frames {
            wire: buffer,
            nodes: &self.nodes[..self.frame_node],
            count: frames,
            consumed: self.frame_at,
        })
    }

    /// Forgets the frames handed out by the last call, whose bytes are gone from the buffer by now.
    #[inline]
    fn drop_finished(&mut self) {
        if self.frame_at == 0 {
            return;
        }
        if self.frame_node == self.nodes.len() {
            self.nodes.clear();
            self.nodes.shrink_to(KEPT_NODES);
        } else {
            self.nodes.drain(..self.frame_node);
        }
        self.forget();
    }

    /// Counts from the frame under way on: the nodes and bytes before it are gone.
    #[inline]
    fn forget(&mut self) {
        for node in &mut self.nodes {
            node.move_back(self.frame_at);
        }
        for open in &mut self.open {
            open.node -= self.frame_node as u32;
        }
        self.frame_node = 0;
        self.offset += self.frame_at as u64;
        self.at -= self.frame_at;
        self.needed = self.needed.saturating_sub(self.frame_at);
        self.frame_at = 0;
    }

    /// The nodes of the frames handed out by the last call; they are forgotten here.
    pub(crate) fn take_finished(&mut self) -> Vec<Node> {
        let under_way = self.nodes.split_off(self.frame_node);
        let mut nodes = Vec::with_capacity(self.frame_node.min(KEPT_NODES).max(under_way.len()));
        nodes.extend_from_slice(&under_way);
        let finished = core::mem::replace(&mut self.nodes, nodes);
        self.forget();
        finished
    }

    /// Finds whole frames up to one that is not, and counts them in `frames`, up to `most`.
    fn frames(&mut self, buffer: &[u8], most: usize, frames: &mut usize) -> Result<(), Stop> {
        while *frames < most {
            if self.at == self.frame_at {
                if self.scanned == 0 {
                    *frames += self.flat_frames(buffer, most - *frames);
                }
                self.budget = self.limits.frame_elements.min(u32::MAX as usize / 2);
                self.take_budget(1)?;
            }
            if *frames == most || !self.frame(buffer)? {
                break;
            }
            *frames += 1;
        }
        Ok(())
    }

    /// Takes the whole frames of one common scalar each that come next, and returns their number.
    ///
    /// A shortcut of [`frame`](Self::frame), which judges whatever this one leaves.
    fn flat_frames(&mut self, buffer: &[u8], most: usize) -> usize {
        if self.limits.frame_elements == 0 {
            return 0;
        }
        let input = &buffer[..buffer.len().min(u32::MAX as usize)];
        let mut rest = &input[self.at.min(input.len())..];
        let nodes_before = self.nodes.len();
        let most_nodes = nodes_before.saturating_add(most);
        let takes_ok = self.limits.frame_bytes >= OK.len();
        while self.nodes.len() < most_nodes {
            // A pipeline of writes is answered by many of these: nothing else has to be asked of them.
            if takes_ok && let Some(after) = rest.strip_prefix(OK) {
                let start = input.len() - rest.len();
                self.nodes.push(Node::new(Kind::SimpleString, start, 1, 2));
                rest = after;
                continue;
            }
            let Ok(Scalar { kind, header, len }) = common_scalar(rest, &self.limits) else {
                break;
            };
            let taken = header + len + 2;
            if taken > self.limits.frame_bytes {
                break;
            }
            let start = input.len() - rest.len();
            self.nodes.push(Node::new(kind, start, header, len));
            rest = &rest[taken..];
        }
        if self.nodes.len() > nodes_before {
            self.at = input.len() - rest.len();
            self.frame_at = self.at;
            self.frame_node = self.nodes.len();
            self.needed = 0;
            self.scanned = 0;
        }
        self.nodes.len() - nodes_before
    }

    /// Goes on with the frame under way: whether it is whole now.
    fn frame(&mut self, buffer: &[u8]) -> Result<bool, Stop> {
        let bound = self
            .frame_at
            .saturating_add(self.frame_bytes())
            .min(u32::MAX as usize);
        let input = &buffer[..buffer.len().min(bound)];
        if self.scanned > 0 && !self.line_ended(input) {
            return Ok(false);
        }
        let mut done = false;
        while !done {
            let (rest, missing) = self.common_scalars(input);
            if missing != 0 {
                let error = nom::Err::Incomplete(nom::Needed::new(missing));
                return self.unfinished(rest, &error);
            }
            let whole = |open: &mut Open| open.count == 0 && open.shape.is_counted();
            if let Some(closed) = self.open.pop_if(whole) {
                done = self.close(closed);
                continue;
            }
            if let Some(kind) = self.misplaced(rest) {
                return Err(Stop { kind, at: self.at });
            }
            let (after, element) = match element(rest, &self.limits) {
                Ok(parsed) => parsed,
                Err(error) => return self.unfinished(rest, &error),
            };
            let end = input.len() - after.len();
            self.charge_streamed(element)?;
            done = self.add(element, end)?;
            self.at = end;
        }
        self.frame_at = self.at;
        self.frame_node = self.nodes.len();
        self.needed = 0;
        Ok(true)
    }

    /// Takes the common scalars that come next in the innermost aggregate; returns what is left of the input,
    /// and how many bytes of the next one's payload are missing if that is all there is to say.
    ///
    /// A shortcut of what [`frame`](Self::frame) does for each element, which judges whatever this one leaves.
    #[inline]
    fn common_scalars<'a>(&mut self, input: &'a [u8]) -> (&'a [u8], usize) {
        let mut rest = &input[self.at.min(input.len())..];
        let Some(open) = self.open.last_mut().filter(|open| open.shape.is_counted()) else {
            return (rest, 0);
        };
        let mut missing = 0;
        while open.count != 0 {
            match common_scalar(rest, &self.limits) {
                Ok(Scalar { kind, header, len }) => {
                    let start = input.len() - rest.len();
                    self.nodes.push(Node::new(kind, start, header, len));
                    open.count -= 1;
                    rest = &rest[header + len + 2..];
                }
                Err(more) => {
                    missing = more;
                    break;
                }
            }
        }
        self.at = input.len() - rest.len();
        (rest, missing)
    }

    /// Whether the line under way is worth parsing: it has ended, or it is too long. Remembers how far it
    /// was searched if not.
    fn line_ended(&mut self, input: &[u8]) -> bool {
        let from = self.at + self.scanned;
        let found = line_break(input.get(from..).unwrap_or_default());
        let longest = self.at.saturating_add(self.limits.longest_line());
        let frame_end = self.frame_at.saturating_add(self.frame_bytes());
        if found.is_some() || input.len() > longest || frame_end.saturating_sub(input.len()) < 2 {
            self.scanned = 0;
            return true;
        }
        self.scanned = input.len().saturating_sub(self.at);
        false
    }

    /// Why no element with this first byte can stand here.
    #[inline]
    fn misplaced(&self, rest: &[u8]) -> Option<ErrorKind> {
        let first = *rest.first()?;
        let shape = self.open.last().map(|open| open.shape);
        if shape == Some(Shape::StreamedString) {
            return (first != b';').then_some(ErrorKind::ExpectedChunk);
        }
        if self.budget == 0
            && first != b'.'
            && matches!(shape, Some(Shape::Streamed | Shape::StreamedMap))
        {
            return Some(ErrorKind::FrameTooManyElements);
        }
        match first {
            b';' => Some(ErrorKind::UnexpectedChunk),
            b'.' => match self.open.last() {
                Some(Open {
                    shape: Shape::Streamed,
                    ..
                }) => None,
                Some(Open {
                    shape: Shape::StreamedMap,
                    count,
                    ..
                }) if count % 2 == 0 => None,
                Some(Open {
                    shape: Shape::StreamedMap,
                    ..
                }) => Some(ErrorKind::OddMap),
                _ => Some(ErrorKind::UnexpectedEnd),
            },
            b'>' => {
                let outermost = self
                    .open
                    .iter()
                    .all(|open| open.shape == Shape::Attribute && open.count == 1);
                (!outermost).then_some(ErrorKind::NestedPush)
            }
            _ => None,
        }
    }

    /// Notes why the element at `rest` is not whole, or fails.
    #[cold]
    fn unfinished(&mut self, rest: &[u8], error: &nom::Err<Fault>) -> Result<bool, Stop> {
        let missing = match error {
            nom::Err::Incomplete(nom::Needed::Size(missing)) => missing.get(),
            nom::Err::Incomplete(nom::Needed::Unknown) => 1,
            nom::Err::Error(Fault { kind, rest: left })
            | nom::Err::Failure(Fault { kind, rest: left }) => {
                return Err(Stop {
                    kind: *kind,
                    at: self.at + rest.len() - left,
                });
            }
        };
        let end = self.at + rest.len();
        let searched = rest.split_last().map_or(rest, |(_, before)| before);
        let in_line = line_break(searched).is_none();
        // Two bytes end a line, but the first of them may be wrong, which is then the fault to tell.
        self.needed = end.saturating_add(if in_line { 1 } else { missing });
        if self.needed - self.frame_at > self.frame_bytes() {
            return Err(Stop {
                kind: ErrorKind::FrameTooLong,
                at: self.at,
            });
        }
        if in_line && rest.len() >= LONG_LINE {
            // The last byte may be a CR.
            self.scanned = searched.len();
        }
        if self.announced_behind() >= PORTION / SHORTEST {
            let frame_end = self.frame_at.saturating_add(self.frame_bytes());
            self.needed = self.needed.max(frame_end.min(end.saturating_add(PORTION)));
        }
        Ok(false)
    }

    /// How many elements have to come behind the next one before the frame is whole, or fewer: those that the innermost and
    /// the outermost aggregate announced, since a look at all of them would take longer the deeper they are nested.
    fn announced_behind(&self) -> usize {
        let behind = |open: &Open| match open.shape {
            // The aggregate under way is still to be counted in the one that holds it.
            Shape::Counted | Shape::Attribute => open.count as usize - 1,
            _ => 0,
        };
        match &self.open[..] {
            [] => 0,
            [only] => behind(only),
            [outermost, .., innermost] => behind(outermost).saturating_add(behind(innermost)),
        }
    }

    /// Counts what nobody announced: an element of a streamed aggregate, a chunk of a streamed string.
    fn charge_streamed(&mut self, element: Element<'_>) -> Result<(), Stop> {
        match self.open.last() {
            Some(open) if !open.shape.is_counted() => match element {
                Element::End | Element::Chunk([]) => Ok(()),
                _ => self.take_budget(1),
            },
            _ => Ok(()),
        }
    }

    /// Adds an element that ends at `end`: whether the frame is whole with it.
    #[inline]
    fn add(&mut self, element: Element<'_>, end: usize) -> Result<bool, Stop> {
        match element {
            Element::Array(count) => self.aggregate(Kind::Array, count, count, Shape::Counted, end),
            element => self.add_rare(element, end),
        }
    }

    fn add_rare(&mut self, element: Element<'_>, end: usize) -> Result<bool, Stop> {
        match element {
            Element::SimpleString(text) => Ok(self.payload(Kind::SimpleString, text, end)),
            Element::SimpleError(text) => Ok(self.payload(Kind::SimpleError, text, end)),
            Element::BulkString(text) => Ok(self.payload(Kind::BulkString, text, end)),
            Element::BulkError(text) => Ok(self.payload(Kind::BulkError, text, end)),
            Element::VerbatimString(_, text) => Ok(self.verbatim(text.len() + 4, end)),
            Element::BigNumber(text) => Ok(self.payload(Kind::BigNumber, text, end)),
            Element::Integer(_) => Ok(self.line(Kind::Integer, end)),
            Element::Double(_) => Ok(self.line(Kind::Double, end)),
            Element::Boolean(_) => Ok(self.line(Kind::Boolean, end)),
            Element::Null => Ok(self.line(Kind::Null, end)),
            Element::NullBulkString => Ok(self.line(Kind::NullBulkString, end)),
            Element::NullArray => Ok(self.line(Kind::NullArray, end)),
            Element::Array(count) => self.aggregate(Kind::Array, count, count, Shape::Counted, end),
            Element::Set(count) => self.aggregate(Kind::Set, count, count, Shape::Counted, end),
            Element::Push(count) => self.aggregate(Kind::Push, count, count, Shape::Counted, end),
            Element::Map(count) => self.aggregate(Kind::Map, count, 2 * count, Shape::Counted, end),
            Element::Attribute(count) => self.aggregate(
                Kind::Attribute,
                count,
                (2 * count).saturating_add(1),
                Shape::Attribute,
                end,
            ),
            Element::StreamedString => {
                self.aggregate(Kind::StreamedString, 0, 0, Shape::StreamedString, end)
            }
            Element::StreamedArray => self.aggregate(Kind::Array, 0, 0, Shape::Streamed, end),
            Element::StreamedSet => self.aggregate(Kind::Set, 0, 0, Shape::Streamed, end),
            Element::StreamedMap => self.aggregate(Kind::Map, 0, 0, Shape::StreamedMap, end),
            Element::Chunk([]) | Element::End => Ok(self.end_streamed(end)),
            Element::Chunk(text) => Ok(self.payload(Kind::Chunk, text, end)),
        }
    }

    /// A scalar whose text is followed by CRLF.
    #[inline]
    fn payload(&mut self, kind: Kind, text: &[u8], end: usize) -> bool {
        let header = end - self.at - text.len() - 2;
        self.nodes
            .push(Node::new(kind, self.at, header, text.len()));
        self.value_done()
    }

    /// A verbatim string; its format and colon count as payload.
    fn verbatim(&mut self, len: usize, end: usize) -> bool {
        self.nodes.push(Node::new(
            Kind::VerbatimString,
            self.at,
            end - self.at - len - 2,
            len,
        ));
        self.value_done()
    }

    /// A scalar of one line.
    #[inline]
    fn line(&mut self, kind: Kind, end: usize) -> bool {
        self.nodes
            .push(Node::new(kind, self.at, 1, end - self.at - 3));
        self.value_done()
    }

    fn aggregate(
        &mut self,
        kind: Kind,
        len: usize,
        count: usize,
        shape: Shape,
        end: usize,
    ) -> Result<bool, Stop> {
        let node = self.nodes.len() as u32;
        self.take_budget(if shape == Shape::Attribute {
            count - 1
        } else {
            count
        })?;
        self.nodes
            .push(Node::new(kind, self.at, end - self.at - 2, len));
        if count == 0 && shape == Shape::Counted {
            return Ok(self.value_done());
        }
        if self.open.len() >= self.limits.depth {
            return Err(Stop {
                kind: ErrorKind::TooDeep,
                at: self.at,
            });
        }
        self.open.push(Open {
            node,
            count: count as u32,
            shape,
        });
        Ok(false)
    }

    /// Ends the innermost aggregate, which [`Self::misplaced`] found to be a streamed one.
    fn end_streamed(&mut self, end: usize) -> bool {
        self.nodes
            .push(Node::new(Kind::End, self.at, end - self.at - 2, 0));
        if let Some(open) = self.open.pop() {
            let len = if open.shape == Shape::StreamedMap {
                open.count / 2
            } else {
                open.count
            };
            let next = self.nodes.len() as u32 - open.node;
            self.nodes[open.node as usize].close_streamed(len, next);
        }
        self.value_done()
    }

    /// Counts a whole value in the aggregate that holds it, if any: otherwise it is the frame.
    fn value_done(&mut self) -> bool {
        let Some(open) = self.open.last_mut() else {
            return true;
        };
        if open.shape.is_counted() {
            open.count -= 1;
        } else {
            open.count += 1;
        }
        false
    }

    /// Closes an aggregate that waits for no more: whether the frame is whole with it.
    fn close(&mut self, closed: Open) -> bool {
        let node = closed.node as usize;
        self.nodes[node].next = (self.nodes.len() - node) as u32;
        self.value_done()
    }

    /// The bound on a frame's bytes: a span counts them in 32 bits.
    fn frame_bytes(&self) -> usize {
        self.limits.frame_bytes.clamp(2, u32::MAX as usize)
    }

    #[inline]
    fn take_budget(&mut self, elements: usize) -> Result<(), Stop> {
        match self.budget.checked_sub(elements) {
            Some(left) => {
                self.budget = left;
                Ok(())
            }
            None => Err(Stop {
                kind: ErrorKind::FrameTooManyElements,
                at: self.at,
            }),
        }
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("limits", &self.limits)
            .field("offset", &self.offset())
            .field("depth", &self.open.len())
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

/// A fault and its index in the buffer.
struct Stop {
    kind: ErrorKind,
    at: usize,
}

/// The whole frames at the start of a buffer.
#[derive(Clone, Copy)]
pub struct Frames<'a> {
    wire: &'a [u8],
    nodes: &'a [Node],
    count: usize,
    consumed: usize,
}

impl<'a> Frames<'a> {
    /// How many frames there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The bytes that the frames take, to be dropped from the front of the buffer before the next call.
    pub fn consumed(&self) -> usize {
        self.consumed
    }

    /// The frames in their order.
    pub fn iter(&self) -> Items<'a> {
        Items::new(self.wire, self.nodes, self.count)
    }
}

impl<'a> IntoIterator for &Frames<'a> {
    type Item = FrameRef<'a>;
    type IntoIter = Items<'a>;

    fn into_iter(self) -> Items<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for Frames<'a> {
    type Item = FrameRef<'a>;
    type IntoIter = Items<'a>;

    fn into_iter(self) -> Items<'a> {
        self.iter()
    }
}

impl fmt::Debug for Frames<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
