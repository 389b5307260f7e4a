//! tokio-util codecs: [`ClientCodec`] reads frames and writes requests, [`ServerCodec`] the other way round.

use std::{fmt, io};

use bytes::BytesMut;
use tokio_util::codec;

use crate::owned_request::{Request, RequestBatch};
use crate::{Batch, Decoder, Encoder, Error, Frame, FrameRef, Limits, Protocol, RequestDecoder};

/// A connection's fault: the peer's, or the transport's.
#[derive(Debug)]
#[non_exhaustive]
pub enum CodecError {
    /// The transport failed.
    Io(io::Error),
    /// The peer broke the protocol or the limits; nothing more can be read.
    Protocol(Error),
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Protocol(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CodecError {}

impl From<io::Error> for CodecError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Error> for CodecError {
    fn from(error: Error) -> Self {
        Self::Protocol(error)
    }
}

/// For clients: decodes [`Frame`]s, encodes [`Request`]s and slices of arguments.
///
/// Frames that arrive together share one buffer and one index; see [`Frame::detach`].
///
/// ```
/// use bytes::BytesMut;
/// use resp::{ClientCodec, Frame};
/// use tokio_util::codec::{Decoder, Encoder};
///
/// let mut codec = ClientCodec::default();
/// let mut output = BytesMut::new();
/// codec.encode(["GET", "key"], &mut output)?;
/// assert_eq!(&output[..], b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n");
///
/// let mut input = BytesMut::from(&b"$5\r\nvalue\r\n"[..]);
/// assert_eq!(codec.decode(&mut input)?, Some(Frame::from("value")));
/// # Ok::<(), resp::CodecError>(())
/// ```
#[derive(Debug)]
pub struct ClientCodec {
    decoder: Decoder,
    ready: Batch,
}

impl ClientCodec {
    /// With limits on what the server may send.
    pub fn new(limits: Limits) -> Self {
        Self {
            decoder: Decoder::new(limits),
            ready: Batch::default(),
        }
    }

    /// Puts other limits in force for what is yet to be decoded.
    pub fn set_limits(&mut self, limits: Limits) {
        self.decoder.set_limits(limits);
    }
}

impl Default for ClientCodec {
    fn default() -> Self {
        Self::new(Limits::client())
    }
}

impl codec::Decoder for ClientCodec {
    type Item = Frame;
    type Error = CodecError;

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Frame>, CodecError> {
        if self.ready.len() == 0 {
            self.ready = self.decoder.decode_shared(buffer)?;
        }
        Ok(self.ready.next())
    }
}

impl codec::Encoder<Request> for ClientCodec {
    type Error = CodecError;

    fn encode(&mut self, request: Request, buffer: &mut BytesMut) -> Result<(), CodecError> {
        let arguments: Vec<&[u8]> = request.as_ref().iter().collect();
        Encoder::new(buffer, Protocol::Resp2).request(&arguments);
        Ok(())
    }
}

impl<T: AsRef<[u8]>> codec::Encoder<&[T]> for ClientCodec {
    type Error = CodecError;

    fn encode(&mut self, arguments: &[T], buffer: &mut BytesMut) -> Result<(), CodecError> {
        Encoder::new(buffer, Protocol::Resp2).request(arguments);
        Ok(())
    }
}

impl<T: AsRef<[u8]>, const N: usize> codec::Encoder<[T; N]> for ClientCodec {
    type Error = CodecError;

    fn encode(&mut self, arguments: [T; N], buffer: &mut BytesMut) -> Result<(), CodecError> {
        codec::Encoder::<&[T]>::encode(self, &arguments, buffer)
    }
}

impl<T: AsRef<[u8]>> codec::Encoder<Vec<T>> for ClientCodec {
    type Error = CodecError;

    fn encode(&mut self, arguments: Vec<T>, buffer: &mut BytesMut) -> Result<(), CodecError> {
        codec::Encoder::<&[T]>::encode(self, &arguments, buffer)
    }
}

/// For servers: decodes [`Request`]s, encodes [`Frame`]s in the protocol that the client asked for.
#[derive(Debug)]
pub struct ServerCodec {
    decoder: RequestDecoder,
    ready: RequestBatch,
    protocol: Protocol,
}

impl ServerCodec {
    /// With limits on what the client may send. Writes RESP2 until [`set_protocol`](Self::set_protocol).
    pub fn new(limits: Limits) -> Self {
        Self {
            decoder: RequestDecoder::new(limits),
            ready: RequestBatch::default(),
            protocol: Protocol::Resp2,
        }
    }

    /// Writes this version of the protocol from now on, as `HELLO` asks for it.
    pub fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    /// Puts other limits in force for what is yet to be decoded, such as after `AUTH`.
    pub fn set_limits(&mut self, limits: Limits) {
        self.decoder.set_limits(limits);
    }
}

impl Default for ServerCodec {
    fn default() -> Self {
        Self::new(Limits::server())
    }
}

impl codec::Decoder for ServerCodec {
    type Item = Request;
    type Error = CodecError;

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Request>, CodecError> {
        if self.ready.len() == 0 {
            self.ready = self.decoder.decode_shared(buffer)?;
        }
        Ok(self.ready.next())
    }
}

impl codec::Encoder<Frame> for ServerCodec {
    type Error = CodecError;

    fn encode(&mut self, frame: Frame, buffer: &mut BytesMut) -> Result<(), CodecError> {
        codec::Encoder::encode(self, frame.as_ref(), buffer)
    }
}

impl codec::Encoder<FrameRef<'_>> for ServerCodec {
    type Error = CodecError;

    fn encode(&mut self, frame: FrameRef<'_>, buffer: &mut BytesMut) -> Result<(), CodecError> {
        Encoder::new(buffer, self.protocol).frame(frame);
        Ok(())
    }
}
