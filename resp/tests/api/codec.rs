//! The codecs of tokio-util, over a connection in memory.

use std::error::Error as _;
use std::io;

use bytes::BytesMut;
use futures_util::{SinkExt, StreamExt};
use resp::{ClientCodec, CodecError, ErrorKind, Frame, Limits, Protocol, Request, ServerCodec};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio_util::codec::{Decoder, Encoder, Framed};

#[tokio::test]
async fn a_client_and_a_server_talk() {
    // Seven bytes at a time: nothing arrives whole.
    let (near, far) = duplex(7);
    let server = tokio::spawn(async move {
        let mut connection = Framed::new(far, ServerCodec::default());
        let mut seen = Vec::new();
        while let Some(request) = connection.next().await {
            let request: Request = request.unwrap();
            seen.push(format!("{request:?}"));
            let hello = request.as_ref().get(0) == Some(b"HELLO");
            if hello {
                connection.codec_mut().set_protocol(Protocol::Resp3);
            }
            connection
                .send(Frame::map([("request".into(), Frame::boolean(hello))]))
                .await
                .unwrap();
        }
        seen
    });
    let mut client = Framed::new(near, ClientCodec::default());
    client.send(Request::new(&["PING"])).await.unwrap();
    let reply = client.next().await.unwrap().unwrap();
    assert_eq!(reply.to_string(), r#"array [bulk "request", integer 0]"#);
    client.send(["HELLO", "3"]).await.unwrap();
    let reply = client.next().await.unwrap().unwrap();
    assert_eq!(reply.to_string(), r#"map {bulk "request": boolean true}"#);
    client
        .send(vec![b"SET".to_vec(), vec![b'k'; 100]])
        .await
        .unwrap();
    let reply = client.next().await.unwrap().unwrap();
    assert_eq!(reply.as_ref().type_name(), "a map");
    client.send(&["A", "B"][..]).await.unwrap();
    let reply = client.next().await.unwrap().unwrap();
    assert_eq!(reply.as_ref().type_name(), "a map");
    drop(client);
    let long = "k".repeat(100);
    assert_eq!(
        server.await.unwrap(),
        [
            r#"["PING"]"#,
            r#"["HELLO", "3"]"#,
            &format!(r#"["SET", "{long}"]"#),
            r#"["A", "B"]"#
        ]
    );
}

#[tokio::test]
async fn frames_before_an_error_come_first_and_the_error_ends_the_stream() {
    let (near, mut far) = duplex(1024);
    far.write_all(b"+OK\r\n:1\r\n@\r\n").await.unwrap();
    let mut client = Framed::new(near, ClientCodec::default());
    assert_eq!(
        client.next().await.unwrap().unwrap(),
        Frame::simple_string("OK")
    );
    assert_eq!(client.next().await.unwrap().unwrap(), Frame::from(1));
    match client.next().await {
        Some(Err(CodecError::Protocol(error))) => {
            assert_eq!((error.kind, error.offset), (ErrorKind::UnknownType, 9));
        }
        other => panic!("{other:?}"),
    }
    assert!(client.next().await.is_none());
}

#[tokio::test]
async fn a_connection_that_ends_inside_a_frame_is_an_error() {
    let (near, mut far) = duplex(1024);
    far.write_all(b"+OK\r\n$5\r\nhel").await.unwrap();
    drop(far);
    let mut client = Framed::new(near, ClientCodec::default());
    assert!(client.next().await.unwrap().is_ok());
    match client.next().await {
        Some(Err(CodecError::Io(_))) => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_answers_a_pipeline() {
    let (near, mut far) = duplex(1024);
    far.write_all(b"PING\r\n*1\r\n$4\r\nPING\r\n\r\nPING\r\n")
        .await
        .unwrap();
    let mut server = Framed::new(near, ServerCodec::default());
    for _ in 0..3 {
        let request = server.next().await.unwrap().unwrap();
        assert_eq!(request, Request::new(&["PING"]));
        let pong = Frame::simple_string("PONG");
        server.feed(pong.as_ref()).await.unwrap();
    }
    <Framed<_, _> as SinkExt<Frame>>::flush(&mut server)
        .await
        .unwrap();
    drop(server);
    let mut replies = Vec::new();
    far.read_to_end(&mut replies).await.unwrap();
    assert_eq!(replies, b"+PONG\r\n".repeat(3));
}

#[test]
fn limits_change_on_a_live_connection() {
    let mut codec = ServerCodec::new(Limits::unauthenticated());
    let mut buffer = BytesMut::from(&b"AUTH x\r\n"[..]);
    assert!(codec.decode(&mut buffer).unwrap().is_some());
    assert!(codec.decode(&mut buffer).unwrap().is_none());
    codec.set_limits(Limits::server());
    let mut buffer = BytesMut::from(&b"*11\r\n"[..]);
    assert!(codec.decode(&mut buffer).unwrap().is_none());
    let mut codec = ServerCodec::new(Limits::unauthenticated());
    let error = codec.decode(&mut buffer).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Protocol error: unauthenticated multibulk length at byte 0"
    );

    let mut codec = ClientCodec::new(Limits::client());
    codec.set_limits(Limits {
        bulk_bytes: 1,
        ..Limits::client()
    });
    let mut buffer = BytesMut::from(&b"$2\r\n"[..]);
    let error = codec.decode(&mut buffer).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Protocol error: bulk string too long at byte 0"
    );
}

#[test]
fn a_server_writes_resp2_until_told_otherwise() {
    let mut codec = ServerCodec::default();
    let mut output = BytesMut::new();
    codec.encode(Frame::null(), &mut output).unwrap();
    codec.set_protocol(Protocol::Resp3);
    codec.encode(Frame::null(), &mut output).unwrap();
    assert_eq!(output, "$-1\r\n_\r\n");
}

#[test]
fn errors_of_codecs() {
    let error = CodecError::from(io::Error::other("cut off"));
    assert_eq!(error.to_string(), "cut off");
    assert!(matches!(error, CodecError::Io(_)));
    assert!(error.source().is_none());
    let mut buffer = BytesMut::from(&b"@"[..]);
    let error = ClientCodec::default().decode(&mut buffer).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Protocol error: unknown type byte at byte 0"
    );
    assert_eq!(
        format!("{error:?}"),
        "Protocol(Error { kind: UnknownType, offset: 0 })"
    );
}
