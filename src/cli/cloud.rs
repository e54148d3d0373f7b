//! The option `--cloud`: opens the simulated cloud or a real one for the subcommands that answer an event.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use stepladder::platform::simulated::SimulatedCloud;
use stepladder::platform::{self, Client};

use super::{CommandError, simulated_cloud, write_world};

/// The cloud that hosts the deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CloudName {
    /// An in-memory cloud with the real semantics: needs no account
    Simulated,
    /// Amazon Web Services
    Aws,
    /// Oracle Cloud Infrastructure
    Oci,
}

/// The first line of every answer on the simulated cloud, where "done" and "applied" mean no real deployment.
pub(super) const SIMULATED: &str = "Simulated cloud: nothing real is read or changed.\n\n";

#[derive(Debug, Args)]
pub(super) struct CloudOption {
    /// The cloud that hosts the deployment
    #[arg(long, value_enum, default_value_t = CloudName::Simulated)]
    cloud: CloudName,
    /// The simulated cloud's state to start from [default: every deployment that the event names, with one instance]
    #[arg(long, value_name = "FILE")]
    world: Option<PathBuf>,
}

/// A client of the chosen cloud.
pub(super) enum CloudClient {
    Simulated(Box<SimulatedCloud>),
    Real(Box<dyn Client>),
}

impl CloudClient {
    /// What comes before the text of an answer.
    pub(super) fn heading(&self) -> &'static str {
        match self {
            Self::Simulated(_) => SIMULATED,
            Self::Real(_) => "",
        }
    }

    pub(super) fn as_client(&self) -> &dyn Client {
        match self {
            Self::Simulated(simulated) => simulated.as_ref(),
            Self::Real(client) => client.as_ref(),
        }
    }
}

impl CloudOption {
    pub(super) fn open(&self, now: Timestamp) -> Result<CloudClient, CommandError> {
        let real = match self.cloud {
            CloudName::Simulated => {
                return self.simulated(now).map(|simulated| CloudClient::Simulated(Box::new(simulated)));
            }
            _ if self.world.is_some() => {
                let message = "`--world` is the state of the simulated cloud: remove it, or remove `--cloud`";
                return Err(CommandError::invalid_input("usage", message.to_owned()));
            }
            CloudName::Aws => platform::aws(),
            CloudName::Oci => platform::oci(),
        };
        real.map(CloudClient::Real).map_err(|error| CommandError::invalid_input("cloud", error.to_string()))
    }

    /// The cloud's name in JSON, the same as in `--cloud`.
    pub(super) fn name(&self) -> String {
        self.cloud.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn simulated(&self, now: Timestamp) -> Result<SimulatedCloud, CommandError> {
        let simulated = simulated_cloud(self.world.as_deref())?;
        simulated.advance(now);
        Ok(simulated)
    }

    /// Writes the state of a simulated cloud back to its file.
    pub(super) fn save(&self, client: &CloudClient) -> Result<(), CommandError> {
        match (client, &self.world) {
            (CloudClient::Simulated(simulated), Some(path)) => write_world(path, simulated),
            (CloudClient::Simulated(_) | CloudClient::Real(_), _) => Ok(()),
        }
    }
}
