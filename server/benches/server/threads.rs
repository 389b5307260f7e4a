//! What a second thread adds: requests a second with `io-threads` 1 and 2.
//!
//! The load is one thread with requests made beforehand and replies that are only counted, so that it takes less than the
//! server does, and two cores show the difference.

use std::io;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::load::{Client, request};
use crate::process::Server;

/// Connections, each of which sends a pipeline when the one before is answered.
const CLIENTS: usize = 50;

/// Requests sent at once.
const PIPELINES: &[usize] = &[16, 64, 256];

const VALUE: &str = "xxx";
const REPLY: &[u8] = b"$3\r\nxxx\r\n";

/// How long one run goes on.
const RUN: Duration = Duration::from_secs(2);

/// Prints the table: the median of several rounds, in each of which both servers take turns.
pub(crate) fn compare(quick: bool) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("{cores} cores for the server and the load, {CLIENTS} connections:\n");
    println!("| GET, pipeline of | 1 thread, requests/s | 2 threads, requests/s | × |");
    println!("|--:|--:|--:|--:|");
    let servers = ["1", "2"].map(|threads| Server::ours(false, &["--io-threads", threads]));
    for server in &servers {
        let mut client = Client::connect(server.port).expect("the server listens");
        let set = request(&["SET", "some", VALUE]);
        client.exchange(&set, 1).expect("a reply");
    }
    for &pipeline in PIPELINES {
        let mut rounds = [Vec::new(), Vec::new()];
        for _ in 0..if quick { 1 } else { 5 } {
            for (server, runs) in servers.iter().zip(&mut rounds) {
                runs.push(run(server, pipeline));
            }
        }
        let [one, two] = rounds.map(median);
        println!(
            "| {pipeline:16} | {one:20.0} | {two:21.0} | {:.2} |",
            two / one
        );
    }
}

/// Requests a second.
fn run(server: &Server, pipeline: usize) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .expect("a runtime");
    let begun = Instant::now();
    let replies = runtime.block_on(async {
        let mut asking = JoinSet::new();
        for _ in 0..CLIENTS {
            asking.spawn(ask(server.port, pipeline, begun + RUN));
        }
        let mut replies = 0;
        while let Some(count) = asking.join_next().await {
            replies += count.expect("a task").expect("replies");
        }
        replies
    });
    replies as f64 / begun.elapsed().as_secs_f64()
}

/// Sends pipelines until this time, each when the one before is answered; how many replies came.
async fn ask(port: u16, pipeline: usize, until: Instant) -> io::Result<usize> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let batch = request(&["GET", "some"]).repeat(pipeline);
    let mut replies = vec![0; pipeline * REPLY.len()];
    let mut count = 0;
    while Instant::now() < until {
        stream.write_all(&batch).await?;
        stream.read_exact(&mut replies).await?;
        count += pipeline;
    }
    assert!(replies.ends_with(REPLY));
    Ok(count)
}

fn median(mut runs: Vec<f64>) -> f64 {
    runs.sort_by(f64::total_cmp);
    runs[runs.len() / 2]
}
