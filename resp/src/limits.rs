//! How much a peer may ask of a decoder.

/// Bounds on what a decoder accepts, as one value.
///
/// Nothing is ever allocated from a length that a peer announces, so these bounds protect against what a
/// peer really sends: they turn an endless line, an endless nesting or an endless frame into an error.
/// They can be changed between frames on a live connection
/// ([`Decoder::set_limits`](crate::Decoder::set_limits)).
///
/// ```
/// use resp::Limits;
///
/// let limits = Limits { bulk_bytes: 1024 * 1024, ..Limits::client() };
/// assert_eq!(limits.depth, Limits::client().depth);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct Limits {
    /// Aggregates and attributes open at once. 0 accepts flat frames only.
    pub depth: usize,
    /// Bytes of a line between its type byte and its CRLF; for requests the whole line but for its LF. A bound below 18 is
    /// as good as 18, so that every length that fits has room.
    pub line_bytes: usize,
    /// Bytes of one bulk string, bulk error, verbatim string or chunk.
    pub bulk_bytes: usize,
    /// Elements announced by one aggregate (a map of `n` pairs has `2n`), or arguments of one request.
    pub elements: usize,
    /// Elements in a whole frame, announced ones included, whatever the nesting.
    pub frame_elements: usize,
    /// Bytes of a whole frame or request, 4 GiB − 1 at most.
    pub frame_bytes: usize,
    /// Whether to refuse integers that are not written as the encoder writes them: `:+5`, `:-0`, `:007`.
    pub strict: bool,
    /// Whether the peer has still to authenticate: only changes which error a request over the limits gets.
    pub unauthenticated: bool,
}

impl Limits {
    /// For reading replies: 128 levels, lines of 1 MiB, bulk strings of 512 MiB, 64 Mi elements and 1 GiB for
    /// each frame.
    pub const fn client() -> Self {
        Self {
            depth: 128,
            line_bytes: 1 << 20,
            bulk_bytes: 512 << 20,
            elements: 64 << 20,
            frame_elements: 64 << 20,
            frame_bytes: 1 << 30,
            strict: false,
            unauthenticated: false,
        }
    }

    /// For reading requests, with Redis' defaults: lines of 64 KiB, bulk strings of 512 MiB (`proto-max-bulk-len`),
    /// 2³¹ − 1 arguments and 1 GiB for each request (`client-query-buffer-limit`).
    pub const fn server() -> Self {
        Self {
            depth: 32,
            line_bytes: 64 << 10,
            bulk_bytes: 512 << 20,
            elements: i32::MAX as usize,
            frame_elements: i32::MAX as usize,
            frame_bytes: 1 << 30,
            strict: false,
            unauthenticated: false,
        }
    }

    /// For reading requests before AUTH: 10 arguments of 16,384 bytes, as Redis has it since CVE-2021-32675.
    pub const fn unauthenticated() -> Self {
        Self {
            bulk_bytes: 16 << 10,
            elements: 10,
            frame_elements: 10,
            frame_bytes: 1 << 20,
            unauthenticated: true,
            ..Self::server()
        }
    }
}

impl Limits {
    /// The bound on a line that is in force: short numbers are read without a look at it.
    pub(crate) fn longest_line(&self) -> usize {
        self.line_bytes.max(SHORT_DIGITS)
    }
}

/// The digits of a number that is read in one go, at most.
pub(crate) const SHORT_DIGITS: usize = 18;

impl Default for Limits {
    /// The same as [`Limits::client`].
    fn default() -> Self {
        Self::client()
    }
}
