//! Requests and replies over real sockets, whatever way they are cut.

mod loopback;

use loopback::Server;

#[test]
fn a_pipeline_cut_anywhere_is_answered_in_order() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let input = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n";
    for byte in input {
        client.send([*byte]);
    }
    client.expect("+OK\r\n$1\r\nv\r\n+PONG\r\n");
}

#[test]
fn a_protocol_error_is_answered_after_the_requests_before_it() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send("PING\r\n*1\r\n:1\r\nPING\r\n");
    assert_eq!(
        client.rest(),
        b"+PONG\r\n-ERR Protocol error: expected '$', got ':'\r\n"
    );
}

#[test]
fn a_blocked_client_answers_its_later_requests_when_it_is_served() {
    let server = Server::start(&[]);
    let (mut waiter, mut pusher) = (server.connect(), server.connect());
    waiter.ask("PING\r\nBLPOP k 0\r\nECHO later\r\n", "+PONG\r\n");
    waiter.send("ECHO last\r\nGET missing\r\n*1\r\n$4\r\nPI");
    pusher.ask("RPUSH k a\r\n", ":1\r\n");
    waiter.expect("*2\r\n$1\r\nk\r\n$1\r\na\r\n$5\r\nlater\r\n$4\r\nlast\r\n$-1\r\n");
    waiter.ask("NG\r\n", "+PONG\r\n");
}

#[test]
fn large_values_and_long_pipelines_arrive_whole() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let value = "x".repeat(3_000_000);
    client.send(format!(
        "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3000000\r\n{value}\r\n"
    ));
    client.expect("+OK\r\n");
    client.send("GET k\r\nPING\r\n".repeat(5) + &"INCR n\r\n".repeat(100_000));
    for _ in 0..5 {
        client.expect(format!("$3000000\r\n{value}\r\n+PONG\r\n"));
    }
    for number in 1..=100_000 {
        client.expect(format!(":{number}\r\n"));
    }
}

#[test]
fn messages_to_a_client_come_between_its_replies_and_none_is_lost() {
    let server = Server::start(&["--io-threads", "2"]);
    let (mut subscriber, mut publisher) = (server.connect(), server.connect());
    subscriber.ask(
        "HELLO 3\r\nSUBSCRIBE c\r\nPING\r\n",
        "%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n",
    );
    let mut publishing = publisher.stream.try_clone().expect("a second handle");
    std::io::Write::write_all(
        &mut publishing,
        "PUBLISH c message\r\n".repeat(1000).as_bytes(),
    )
    .expect("a write");
    publisher.expect(":1\r\n".repeat(1000));
    subscriber.send("ECHO done\r\nQUIT\r\n");
    let text = String::from_utf8_lossy(&subscriber.rest()).into_owned();
    assert_eq!(
        text.matches("$7\r\nmessage\r\n$1\r\nc\r\n$7\r\nmessage\r\n")
            .count(),
        1000
    );
    assert!(text.contains("+PONG\r\n") && text.contains("$4\r\ndone\r\n"));
}
