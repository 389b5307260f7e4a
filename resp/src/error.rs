//! What a peer can do wrong, one variant for each fault.

use core::fmt;

/// A protocol error: what is wrong, and at which byte of the stream.
///
/// ```
/// use resp::{Decoder, ErrorKind, Limits};
///
/// let mut decoder = Decoder::new(Limits::client());
/// let error = decoder.decode(b":12a\r\n").unwrap_err();
/// assert_eq!(error.kind, ErrorKind::InvalidInteger);
/// assert_eq!(error.offset, 3);
/// assert_eq!(error.to_string(), "Protocol error: invalid integer at byte 3");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Error {
    /// What is wrong.
    pub kind: ErrorKind,
    /// Where, in bytes since the decoder was made or reset: the first byte that cannot stand where it
    /// stands; for a number out of range or a bound exceeded, the first byte of the element.
    pub offset: u64,
}

impl Error {
    /// The text that a server sends after `-ERR ` before it closes the connection. It holds no CR or LF.
    ///
    /// ```
    /// let error = resp::RequestDecoder::new(resp::Limits::server()).decode(b"*1\r\n:1\r\n").unwrap_err();
    /// assert_eq!(error.server_text().to_string(), "Protocol error: expected '$', got ':'");
    /// ```
    pub fn server_text(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.kind, self.offset)
    }
}

impl core::error::Error for Error {}

macro_rules! faults {
    ($($(#[$doc:meta])+ $variant:ident = $text:literal,)+) => {
        /// One variant for each thing that a peer can do wrong; displayed as the text that a server sends.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorKind {
            $($(#[$doc])+ $variant,)+
            /// Something else than a bulk string among a request's arguments; holds its first byte.
            ExpectedBulkString(u8),
        }

        impl ErrorKind {
            /// Each kind that carries no byte of its own.
            pub const ALL: &[Self] = &[$(Self::$variant),+];
        }

        impl fmt::Display for ErrorKind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("Protocol error: ")?;
                match self {
                    $(Self::$variant => f.write_str($text),)+
                    // Redis prints the byte as it came; a CR or LF would end the error line early.
                    Self::ExpectedBulkString(b'\r' | b'\n') => f.write_str("expected '$', got ' '"),
                    Self::ExpectedBulkString(byte @ b' '..=b'~') => {
                        write!(f, "expected '$', got '{}'", char::from(*byte))
                    }
                    Self::ExpectedBulkString(byte) => write!(f, "expected '$', got '\\x{byte:02x}'"),
                }
            }
        }
    };
}

faults! {
    /// A first byte that no type has.
    UnknownType = "unknown type byte",
    /// A payload that CRLF does not follow.
    MissingTerminator = "expected CRLF after the payload",
    /// A CR or LF inside a line.
    BareLineBreak = "CR or LF inside a line",
    /// Not a decimal integer.
    InvalidInteger = "invalid integer",
    /// An integer that does not fit in 64 bits.
    IntegerOutOfRange = "integer out of range",
    /// A length or count that is not a plain decimal number, or negative where null has no such form.
    InvalidLength = "invalid length",
    /// A null with a payload.
    InvalidNull = "invalid null",
    /// A boolean other than `t` and `f`.
    InvalidBoolean = "invalid boolean",
    /// Not a double.
    InvalidDouble = "invalid double",
    /// A finite double beyond the range of 64 bits.
    DoubleOutOfRange = "double out of range",
    /// Not an integer of decimal digits.
    InvalidBigNumber = "invalid big number",
    /// A verbatim string without its three bytes of format and a colon.
    InvalidVerbatimString = "invalid verbatim string",
    /// A push inside another value.
    NestedPush = "push inside another value",
    /// A chunk outside a streamed string.
    UnexpectedChunk = "chunk outside a streamed string",
    /// Something else than a chunk inside a streamed string.
    ExpectedChunk = "expected a chunk of the streamed string",
    /// An end marker where no streamed aggregate can end.
    UnexpectedEnd = "end marker outside a streamed aggregate",
    /// A streamed map that ends between a key and its value.
    OddMap = "map ends after a key",
    /// More levels than [`Limits::depth`](crate::Limits::depth).
    TooDeep = "nested too deeply",
    /// A line beyond [`Limits::line_bytes`](crate::Limits::line_bytes).
    LineTooLong = "line too long",
    /// A payload beyond [`Limits::bulk_bytes`](crate::Limits::bulk_bytes).
    BulkTooLong = "bulk string too long",
    /// An aggregate beyond [`Limits::elements`](crate::Limits::elements).
    TooManyElements = "too many elements in an aggregate",
    /// A frame beyond [`Limits::frame_elements`](crate::Limits::frame_elements).
    FrameTooManyElements = "too many elements in a frame",
    /// A frame beyond [`Limits::frame_bytes`](crate::Limits::frame_bytes).
    FrameTooLong = "frame too long",
    /// A request whose count of arguments is not a number up to the limit.
    InvalidMultibulkLength = "invalid multibulk length",
    /// A request with an argument whose length is not a number up to the limit.
    InvalidBulkLength = "invalid bulk length",
    /// Too many arguments before authentication.
    UnauthenticatedMultibulkLength = "unauthenticated multibulk length",
    /// Too long an argument before authentication.
    UnauthenticatedBulkLength = "unauthenticated bulk length",
    /// An inline request beyond [`Limits::line_bytes`](crate::Limits::line_bytes).
    TooBigInlineRequest = "too big inline request",
    /// A request's count of arguments that does not end.
    TooBigMultibulkCount = "too big mbulk count string",
    /// An argument's length that does not end.
    TooBigBulkCount = "too big bulk count string",
    /// A quote in an inline request that is not closed, or not followed by a space.
    UnbalancedQuotes = "unbalanced quotes in request",
}
