//! Requests and replies over real sockets, whatever way they are cut; half-closed and killed connections.

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

#[test]
fn a_half_closed_connection_gets_all_its_replies() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send("PING\r\n".repeat(1000));
    client
        .stream
        .shutdown(std::net::Shutdown::Write)
        .expect("half closed");
    assert_eq!(client.rest(), "+PONG\r\n".repeat(1000).as_bytes());
}

#[test]
fn a_half_closed_connection_gets_what_no_buffer_holds_too() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.ask("SETRANGE k 9999999 x\r\n", ":10000000\r\n");
    client.send("GET k\r\nGET k\r\nPING\r\n");
    client
        .stream
        .shutdown(std::net::Shutdown::Write)
        .expect("half closed");
    let replies = client.rest();
    assert_eq!(replies.len(), 2 * 10_000_013 + 7);
    assert!(replies.ends_with(b"x\r\n+PONG\r\n"));
}

#[test]
fn a_killed_client_is_closed_whatever_it_does() {
    let server = Server::start(&[]);
    let mut killer = server.connect();
    for doing in [
        "SUBSCRIBE c\r\n",
        "MULTI\r\n",
        "BLPOP k 0\r\n",
        "*2\r\n$3\r\nGET\r\n",
        "MONITOR\r\n",
    ] {
        let mut victim = server.connect();
        victim.ask("CLIENT SETNAME victim\r\n", "+OK\r\n");
        victim.send(doing);
        killer.ask("CLIENT KILL SKIPME yes\r\n", ":1\r\n");
        victim.rest();
        loopback::eventually("the victim is gone", || {
            killer.info("connected_clients") == "1"
        });
    }
}

#[test]
fn a_killed_client_leaves_nothing_behind_and_gets_nothing_more() {
    let server = Server::start(&[]);
    let mut killer = server.connect();
    for (doing, answer) in [
        ("SUBSCRIBE c\r\nPSUBSCRIBE p\r\nSSUBSCRIBE s\r\n", "*3\r\n"),
        (
            "WATCH w\r\nMULTI\r\nINCR w\r\n",
            "+OK\r\n+OK\r\n+QUEUED\r\n",
        ),
        ("PING\r\nBLPOP k 0\r\n", "+PONG\r\n"),
    ] {
        let mut victim = server.connect();
        victim.ask(doing, answer);
        killer.ask("CLIENT KILL SKIPME yes\r\n", ":1\r\n");
        victim.rest();
        for field in [
            "pubsub_channels",
            "pubsub_patterns",
            "pubsubshard_channels",
            "watching_clients",
            "total_watched_keys",
            "blocked_clients",
            "total_blocking_keys",
        ] {
            assert_eq!(killer.info(field), "0", "{field} after {doing:?}");
        }
    }
    killer.ask("RPUSH k v\r\nLLEN k\r\nEXISTS w\r\n", ":1\r\n:1\r\n:0\r\n");
}

#[test]
fn a_client_is_killed_while_it_does_not_read_its_replies() {
    let server = Server::start(&[]);
    let (mut victim, mut killer) = (server.connect(), server.connect());
    victim.ask("SETRANGE k 19999999 x\r\n", ":20000000\r\n");
    victim.send("GET k\r\n");
    victim.expect("$20000000\r\n");
    killer.ask("CLIENT KILL TYPE normal\r\n", ":1\r\n");
    assert!(victim.rest().len() < 20_000_000);
}
