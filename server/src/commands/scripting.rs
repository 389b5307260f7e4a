//! Commands on scripts and functions.

use crate::command::Command;

pub(super) const COMMANDS: &[Command] = &[];
