//! Publishing and subscribing.

use crate::client_state::ReplyMode;
use crate::command::{Call, Command, Context, Flags};
use crate::fault::{Fault, Outcome};
use crate::pubsub::Space;
use crate::reply::Reply;
use crate::value::Blob;

const SUBSCRIBES: Flags = Flags::PUBSUB
    .and(Flags::NO_SCRIPT)
    .and(Flags::LOADING)
    .and(Flags::STALE)
    .and(Flags::SUBSCRIBED);

const PUBLISHES: Flags = Flags::PUBSUB
    .and(Flags::LOADING)
    .and(Flags::STALE)
    .and(Flags::MAY_REPLICATE);

pub(super) const COMMANDS: &[Command] = &[
    Command::new("SUBSCRIBE", "channel [channel ...]", subscribe)
        .flags(SUBSCRIBES)
        .since("2.0.0")
        .complexity("O(N) where N is the number of channels.")
        .summary("Listens to channels."),
    Command::new("UNSUBSCRIBE", "[channel [channel ...]]", unsubscribe)
        .flags(SUBSCRIBES)
        .since("2.0.0")
        .complexity("O(N) where N is the number of channels.")
        .summary("Stops listening to channels, to all without an argument."),
    Command::new("PSUBSCRIBE", "pattern [pattern ...]", psubscribe)
        .flags(SUBSCRIBES)
        .since("2.0.0")
        .complexity("O(N) where N is the number of patterns.")
        .summary("Listens to all channels that match patterns."),
    Command::new("PUNSUBSCRIBE", "[pattern [pattern ...]]", punsubscribe)
        .flags(SUBSCRIBES)
        .since("2.0.0")
        .complexity("O(N) where N is the number of patterns.")
        .summary("Stops listening to patterns, to all without an argument."),
    Command::new("SSUBSCRIBE", "shardchannel [shardchannel ...]", ssubscribe)
        .flags(SUBSCRIBES)
        .keys(1, -1, 1)
        .access("not_key")
        .since("7.0.0")
        .complexity("O(N) where N is the number of shard channels.")
        .summary("Listens to shard channels."),
    Command::new("SUNSUBSCRIBE", "[shardchannel [shardchannel ...]]", sunsubscribe)
        .flags(SUBSCRIBES)
        .keys(1, -1, 1)
        .access("not_key")
        .since("7.0.0")
        .complexity("O(N) where N is the number of shard channels.")
        .summary("Stops listening to shard channels, to all without an argument."),
    Command::new("PUBLISH", "channel message", publish)
        .fast()
        .flags(PUBLISHES)
        .since("2.0.0")
        .complexity("O(N+M) where N is the number of the channel's subscribers and M the number of patterns.")
        .summary("Sends a message to a channel."),
    Command::new("SPUBLISH", "shardchannel message", spublish)
        .fast()
        .flags(PUBLISHES)
        .key(1)
        .access("not_key")
        .since("7.0.0")
        .complexity("O(N) where N is the number of the channel's subscribers.")
        .summary("Sends a message to a shard channel."),
    Command::container("PUBSUB", PUBSUB).since("2.8.0").summary("A container for commands on pub/sub."),
];

const PUBSUB: &[Command] = &[
    subcommand("CHANNELS", "[pattern]", channels).summary("Channels with subscribers."),
    subcommand("NUMSUB", "[channel [channel ...]]", numsub)
        .summary("How many subscribers channels have."),
    subcommand("NUMPAT", "", numpat).summary("How many patterns are subscribed to."),
    subcommand("SHARDCHANNELS", "[pattern]", shard_channels)
        .since("7.0.0")
        .summary("Shard channels with subscribers."),
    subcommand(
        "SHARDNUMSUB",
        "[shardchannel [shardchannel ...]]",
        shard_numsub,
    )
    .since("7.0.0")
    .summary("How many subscribers shard channels have."),
    Command::new("HELP", "", help)
        .always()
        .since("6.2.0")
        .summary("Explains the subcommands."),
];

const fn subcommand(
    name: &'static str,
    usage: &'static str,
    handler: crate::command::Handler,
) -> Command {
    Command::new(name, usage, handler)
        .flags(Flags::PUBSUB)
        .always()
        .since("2.8.0")
}

impl Space {
    /// The word that begins a confirmation, by whether one subscribes.
    fn word(self, subscribes: bool) -> &'static str {
        match (self, subscribes) {
            (Self::Channel, true) => "subscribe",
            (Self::Channel, false) => "unsubscribe",
            (Self::Pattern, true) => "psubscribe",
            (Self::Pattern, false) => "punsubscribe",
            (Self::Shard, true) => "ssubscribe",
            (Self::Shard, false) => "sunsubscribe",
        }
    }
}

fn subscribe(call: &mut Call<'_>) -> Outcome {
    add(call, Space::Channel)
}

fn psubscribe(call: &mut Call<'_>) -> Outcome {
    add(call, Space::Pattern)
}

fn ssubscribe(call: &mut Call<'_>) -> Outcome {
    if call.context == Context::Transaction {
        return Err(Fault::SHARD_IN_EXEC);
    }
    add(call, Space::Shard)
}

fn add(call: &mut Call<'_>, space: Space) -> Outcome {
    for name in call.args.remaining() {
        let id = call.id;
        let subscriptions = &mut call.client_mut().subscriptions;
        if subscriptions.names(space).insert(Blob::from(*name)) {
            call.state.pubsub.add(space, name, id);
        }
        confirm(call, space, true, Some(name));
    }
    Ok(())
}

fn unsubscribe(call: &mut Call<'_>) -> Outcome {
    remove(call, Space::Channel)
}

fn punsubscribe(call: &mut Call<'_>) -> Outcome {
    remove(call, Space::Pattern)
}

fn sunsubscribe(call: &mut Call<'_>) -> Outcome {
    remove(call, Space::Shard)
}

fn remove(call: &mut Call<'_>, space: Space) -> Outcome {
    let id = call.id;
    let mut names: Vec<Blob> = call
        .args
        .remaining()
        .iter()
        .map(|name| Blob::from(*name))
        .collect();
    if names.is_empty() {
        names = call
            .client_mut()
            .subscriptions
            .names(space)
            .iter()
            .cloned()
            .collect();
    }
    if names.is_empty() {
        confirm(call, space, false, None);
    }
    for name in &names {
        if call.client_mut().subscriptions.names(space).remove(name) {
            call.state.pubsub.remove(space, name, id);
        }
        confirm(call, space, false, Some(name));
    }
    Ok(())
}

fn confirm(call: &mut Call<'_>, space: Space, subscribes: bool, name: Option<&[u8]>) {
    let subscriptions = &call.client().subscriptions;
    let left = if space == Space::Shard {
        subscriptions.shard_channels.len()
    } else {
        subscriptions.count()
    };
    let write = |reply: &mut Reply<'_>| {
        reply.push(3);
        reply.bulk(space.word(subscribes));
        reply.bulk_or_null(name);
        reply.count(left);
    };
    // Confirmations are pushes: they come also where replies are off.
    if call.client().reply_mode == ReplyMode::On {
        write(&mut call.reply);
    } else {
        call.state.push(call.id, write);
    }
}

fn publish(call: &mut Call<'_>) -> Outcome {
    send(call, Space::Channel)
}

fn spublish(call: &mut Call<'_>) -> Outcome {
    send(call, Space::Shard)
}

fn send(call: &mut Call<'_>, space: Space) -> Outcome {
    let (channel, message) = (call.args.next_bytes()?, call.args.next_bytes()?);
    let receivers = call.state.publish(space, channel, message);
    if call.context == Context::Client && call.client().reply_mode == ReplyMode::On {
        // A client that publishes to itself gets the message first. Within EXEC it would stand among the replies.
        call.reply
            .output()
            .append(&mut call.state.clients.at_mut(call.id).outbox);
    }
    call.reply.count(receivers);
    Ok(())
}

fn channels(call: &mut Call<'_>) -> Outcome {
    list(call, Space::Channel)
}

fn shard_channels(call: &mut Call<'_>) -> Outcome {
    list(call, Space::Shard)
}

fn list(call: &mut Call<'_>, space: Space) -> Outcome {
    let pattern = call.args.pop();
    let word = call.args.all()[1];
    (call.args.finish()).map_err(|_| Fault::subcommand_or_arity("PUBSUB", word))?;
    let active = call.state.pubsub.active(space, pattern);
    call.reply.bulks(active.iter());
    Ok(())
}

fn numsub(call: &mut Call<'_>) -> Outcome {
    count(call, Space::Channel)
}

fn shard_numsub(call: &mut Call<'_>) -> Outcome {
    count(call, Space::Shard)
}

fn count(call: &mut Call<'_>, space: Space) -> Outcome {
    let names = call.args.remaining();
    call.reply.array(names.len() * 2);
    for name in names {
        let subscribers = call.state.pubsub.subscribers(space, name);
        call.reply.bulk(name);
        call.reply.count(subscribers);
    }
    Ok(())
}

fn numpat(call: &mut Call<'_>) -> Outcome {
    let patterns = call.state.pubsub.patterns();
    call.reply.count(patterns);
    Ok(())
}

fn help(call: &mut Call<'_>) -> Outcome {
    call.help();
    Ok(())
}
