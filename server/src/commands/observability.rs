//! SLOWLOG and LATENCY: what took long.

use std::fmt::Write as _;

use crate::args::parse_i64;
use crate::command::{Call, Command, Registered};
use crate::fault::{Fault, Outcome};
use crate::latency::Sample;

pub(super) const COMMANDS: &[Command] = &[
    Command::container("SLOWLOG", SLOWLOG)
        .since("2.2.12")
        .summary("A container for commands on the slow log."),
    Command::container("LATENCY", LATENCY)
        .since("2.8.13")
        .summary("A container for commands on latency."),
];

const SLOWLOG: &[Command] = &[
    subcommand("GET", "[count]", slowlog_get)
        .since("2.2.12")
        .complexity("O(N) where N is the number of entries returned")
        .tips("request_policy:all_nodes nondeterministic_output")
        .summary("The slowest calls of late."),
    subcommand("LEN", "", slowlog_len)
        .since("2.2.12")
        .tips("request_policy:all_nodes response_policy:agg_sum nondeterministic_output")
        .summary("How many calls the slow log holds."),
    subcommand("RESET", "", slowlog_reset)
        .since("2.2.12")
        .complexity("O(N) where N is the number of entries in the slowlog")
        .tips("request_policy:all_nodes response_policy:all_succeeded")
        .summary("Empties the slow log."),
    help_command().since("6.2.0"),
];

const LATENCY: &[Command] = &[
    subcommand("LATEST", "", latency_latest)
        .since("2.8.13")
        .no_script()
        .tips("nondeterministic_output request_policy:all_nodes response_policy:special")
        .summary("The latest spike of each event."),
    subcommand("HISTORY", "event", latency_history)
        .since("2.8.13")
        .no_script()
        .tips("nondeterministic_output request_policy:all_nodes response_policy:special")
        .summary("The spikes of an event."),
    subcommand("RESET", "[event [event ...]]", latency_reset)
        .since("2.8.13")
        .no_script()
        .tips("request_policy:all_nodes response_policy:all_succeeded")
        .summary("Forgets the spikes of events, of all without an argument."),
    subcommand("GRAPH", "event", latency_graph)
        .since("2.8.13")
        .no_script()
        .tips("nondeterministic_output request_policy:all_nodes response_policy:special")
        .summary("The spikes of an event as a drawing."),
    subcommand("DOCTOR", "", latency_doctor)
        .since("2.8.13")
        .no_script()
        .tips("nondeterministic_output request_policy:all_nodes response_policy:special")
        .summary("A report for people."),
    subcommand("HISTOGRAM", "[command [command ...]]", latency_histogram)
        .since("7.0.0")
        .complexity(
            "O(N) where N is the number of commands with latency information being retrieved.",
        )
        .no_script()
        .tips("nondeterministic_output request_policy:all_nodes response_policy:special")
        .summary("How often commands took how long."),
    help_command().since("2.8.13"),
];

const fn subcommand(
    name: &'static str,
    usage: &'static str,
    handler: crate::command::Handler,
) -> Command {
    Command::new(name, usage, handler).admin().always()
}

const fn help_command() -> Command {
    Command::new("HELP", "", help)
        .always()
        .summary("Explains the subcommands.")
}

fn help(call: &mut Call<'_>) -> Outcome {
    call.help();
    Ok(())
}

fn slowlog_get(call: &mut Call<'_>) -> Outcome {
    let count = match call.args.pop() {
        None => 10,
        Some(count) => parse_i64(count)
            .filter(|count| *count >= -1)
            .ok_or(Fault::SLOWLOG_COUNT)?,
    };
    if !call.args.is_empty() {
        return Err(Fault::subcommand_or_arity("SLOWLOG", call.args.all()[1]));
    }
    let log = &call.state.slowlog;
    let shown = usize::try_from(count).map_or(log.len(), |count| count.min(log.len()));
    call.reply.array(shown);
    for slow in log.iter().take(shown) {
        call.reply.array(6);
        call.reply.integer(slow.id as i64);
        call.reply.integer(slow.unix_s);
        call.reply.integer(slow.took_us as i64);
        call.reply.bulks(slow.args.iter());
        call.reply.bulk(&slow.address);
        call.reply.bulk(&slow.name);
    }
    Ok(())
}

fn slowlog_len(call: &mut Call<'_>) -> Outcome {
    call.reply.count(call.state.slowlog.len());
    Ok(())
}

fn slowlog_reset(call: &mut Call<'_>) -> Outcome {
    call.state.slowlog.clear();
    call.reply.ok();
    Ok(())
}

fn latency_latest(call: &mut Call<'_>) -> Outcome {
    let events = call.state.latency.iter();
    call.reply.array(events.len());
    for (name, event) in events {
        let last = event.samples().last();
        call.reply.array(4);
        call.reply.bulk(name);
        call.reply.integer(last.map_or(0, |last| last.unix_s));
        call.reply
            .integer(last.map_or(0, |last| last.took_ms as i64));
        call.reply.integer(event.max_ms() as i64);
    }
    Ok(())
}

fn latency_history(call: &mut Call<'_>) -> Outcome {
    let name = call.args.next_bytes()?;
    let Some((_, event)) = call.state.latency.event(name) else {
        call.reply.array(0);
        return Ok(());
    };
    call.reply.array(event.samples().len());
    for sample in event.samples() {
        call.reply.array(2);
        call.reply.integer(sample.unix_s);
        call.reply.integer(sample.took_ms as i64);
    }
    Ok(())
}

fn latency_reset(call: &mut Call<'_>) -> Outcome {
    let latency = &mut call.state.latency;
    let removed = if call.args.is_empty() {
        latency.clear()
    } else {
        let names = call.args.remaining().iter();
        names.filter(|name| latency.remove(name)).count()
    };
    call.reply.count(removed);
    Ok(())
}

/// Rows of a drawn graph.
const GRAPH_ROWS: u64 = 4;

fn latency_graph(call: &mut Call<'_>) -> Outcome {
    let name = call.args.next_bytes()?;
    let (name, event) = call
        .state
        .latency
        .event(name)
        .ok_or_else(|| Fault::no_samples(name))?;
    let samples: Vec<Sample> = event.samples().copied().collect();
    let high = samples.iter().map(|sample| sample.took_ms).max();
    let low = samples.iter().map(|sample| sample.took_ms).min();
    let (high, low) = (high.unwrap_or_default(), low.unwrap_or_default());
    let mut text = format!(
        "{name} - high {high} ms, low {low} ms (all time high {} ms)\n{}\n",
        event.max_ms(),
        "-".repeat(80)
    );
    let columns: Vec<(u64, String)> = samples
        .iter()
        .map(|sample| {
            let height = (sample.took_ms - low) * GRAPH_ROWS / (high - low).max(1);
            (
                height.min(GRAPH_ROWS - 1),
                ago(call.now.unix_s() - sample.unix_s),
            )
        })
        .collect();
    for row in (0..GRAPH_ROWS).rev() {
        text.extend(columns.iter().map(|(height, _)| match height.cmp(&row) {
            std::cmp::Ordering::Less => ' ',
            std::cmp::Ordering::Equal => '#',
            std::cmp::Ordering::Greater => '|',
        }));
        text.push('\n');
    }
    // The age of each sample, written downwards.
    text.push('\n');
    let longest = columns.iter().map(|(_, label)| label.len()).max();
    for line in 0..longest.unwrap_or_default() {
        let letters = columns
            .iter()
            .map(|(_, label)| label.chars().nth(line).unwrap_or(' '));
        text.extend(letters);
        text.push('\n');
    }
    call.reply.verbatim(text);
    Ok(())
}

/// `59s`, `3m`, `5h`, `2d`.
fn ago(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds @ 60..3600 => format!("{}m", seconds / 60),
        seconds @ 3600..86400 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86400),
    }
}

fn latency_doctor(call: &mut Call<'_>) -> Outcome {
    let latency = &call.state.latency;
    let mut text = String::new();
    if call.state.config.latency_monitor_threshold == 0 {
        text.push_str(
            "Latency monitoring is off, so there is nothing to report. Turn it on with \"CONFIG SET \
             latency-monitor-threshold <milliseconds>\" and ask again after a spike.\n",
        );
    } else if latency.iter().len() == 0 {
        text.push_str("No latency spike was seen since the last LATENCY RESET.\n");
    } else {
        text.push_str("Latency spikes seen:\n\n");
        for (index, (name, event)) in latency.iter().enumerate() {
            let count = event.samples().len() as u64;
            let sum: u64 = event.samples().map(|sample| sample.took_ms).sum();
            let mean = sum / count.max(1);
            let _ = writeln!(
                text,
                "{}. {name}: {count} latency spikes, {mean} ms on average, the worst of all time {} ms.",
                index + 1,
                event.max_ms()
            );
        }
        text.push_str(
            "\nSee SLOWLOG GET for the commands that took longest, and avoid those that visit many elements at once \
             (KEYS, SMEMBERS or LRANGE of large values).\n",
        );
    }
    call.reply.verbatim(text);
    Ok(())
}

fn latency_histogram(call: &mut Call<'_>) -> Outcome {
    let wanted: Vec<&Registered> = if call.args.is_empty() {
        call.commands.all().iter().collect()
    } else {
        let named = call
            .args
            .remaining()
            .iter()
            .filter_map(|name| call.commands.by_full_name(name));
        named
            .flat_map(|command| std::iter::once(command).chain(call.commands.children(command)))
            .collect()
    };
    let used: Vec<_> = wanted
        .into_iter()
        .filter_map(|command| {
            Some((
                command,
                call.state.stats.by_command.get(command.id.index())?,
            ))
        })
        .filter(|(_, stats)| stats.latencies.total() > 0)
        .collect();
    call.reply.map(used.len());
    for (command, stats) in used {
        call.reply.bulk(&command.name);
        call.reply.map(2);
        call.reply.bulk("calls");
        call.reply.integer(stats.latencies.total() as i64);
        call.reply.bulk("histogram_usec");
        let bounds = stats.latencies.cumulative();
        call.reply.map(bounds.len());
        for (bound_us, count) in bounds {
            call.reply.integer(bound_us as i64);
            call.reply.integer(count as i64);
        }
    }
    Ok(())
}
