//! Generators, properties and tools that the tests and the fuzz targets share.

pub mod agreement;
pub mod commands;
pub mod connection;
pub mod generate;
pub mod model;
pub mod naive;
pub mod naive_encoder;
pub mod naive_request;
pub mod notation;
pub mod player;
pub mod properties;
pub mod random;
pub mod report;
pub mod server_process;
pub mod side_by_side;
pub mod transcript;
