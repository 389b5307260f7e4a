//! The engine through its public surface, its clock moved by hand.

mod collections;
mod introspection;
mod keyspace;
mod requests;
mod sorted_sets;

use server::client_state::Peer;
use server::config::Config;
use server::effects::Effect;
use server::engine::{Engine, Flow};
use server::ids::ClientId;
use server::output::Output;
use server::time::Now;

/// When every test begins.
const START: Now = Now {
    unix_us: 1_700_000_000_000_000,
    monotonic_us: 0,
};

/// An engine with one client.
struct Server {
    engine: Engine,
    id: ClientId,
    now: Now,
}

impl Server {
    fn new() -> Self {
        Self::with(&[])
    }

    fn with(settings: &[(&str, &str)]) -> Self {
        let mut config = Config::default();
        for (name, value) in settings {
            config
                .set(name.as_bytes(), value.as_bytes())
                .expect("a legal setting");
        }
        let mut engine = Engine::new(config, 1, START);
        engine.attach_effects(true);
        let id = engine.connect(Peer::default(), START);
        Self {
            engine,
            id,
            now: START,
        }
    }

    /// One more client.
    fn client(&mut self) -> ClientId {
        self.engine.connect(Peer::default(), self.now)
    }

    fn run(&mut self, line: &str) -> String {
        self.run_as(self.id, line)
    }

    fn run_as(&mut self, id: ClientId, line: &str) -> String {
        self.send(id, line).0
    }

    fn send(&mut self, id: ClientId, line: &str) -> (String, Flow) {
        let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let mut out = Output::new();
        let flow = self.engine.execute(id, &args, &mut out, self.now);
        (text(&out), flow)
    }

    fn blocks(&mut self, id: ClientId, line: &str) {
        assert_eq!(
            self.send(id, line),
            (String::new(), Flow::Blocked),
            "{line}"
        );
    }

    fn outbox(&mut self, id: ClientId) -> String {
        let mut out = Output::new();
        self.engine.outbox(id, &mut out);
        text(&out)
    }

    /// The effects since the last call, a group on a line, its calls separated by semicolons.
    fn effects(&mut self) -> Vec<String> {
        let groups = self.engine.state().effects.take();
        let line = |group: &Vec<Effect>| {
            let calls: Vec<_> = group
                .iter()
                .map(|effect| effect.request.args().join(&b' '))
                .map(|call| String::from_utf8_lossy(&call).into_owned())
                .collect();
            calls.join("; ")
        };
        groups.iter().map(line).collect()
    }

    /// A field of INFO.
    fn info(&mut self, section: &str, field: &str) -> String {
        let reply = self.run(&format!("INFO {section}"));
        let found = reply
            .split(' ')
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        found.unwrap_or_default().to_owned()
    }

    fn wait_ms(&mut self, milliseconds: u64) {
        self.now = self.now.after_ms(milliseconds);
    }

    /// Waits, then does what is due by then.
    fn tick_after_ms(&mut self, milliseconds: u64) {
        self.wait_ms(milliseconds);
        self.engine.tick(self.now);
    }
}

/// Replies on one line, which reads better in a failure.
fn text(out: &Output) -> String {
    String::from_utf8_lossy(&out.to_vec())
        .replace("\r\n", " ")
        .trim_end()
        .to_owned()
}
