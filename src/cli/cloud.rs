//! Where the deployments are: on the simulated cloud or on a real one, for every verb that answers an event.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use stepladder::platform::simulated::{SimulatedCloud, World};
use stepladder::platform::{self, Client};

use super::{Failure, read_world, write_world};

/// Where the deployment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// An in-memory cloud with the real semantics: needs no account
    Simulated,
    /// Amazon Web Services
    Aws,
    /// Oracle Cloud Infrastructure
    Oci,
}

#[derive(Debug, Args)]
pub(super) struct CloudOption {
    /// Where the deployment is
    #[arg(long, value_enum, default_value_t = Kind::Simulated)]
    cloud: Kind,
    /// The simulated cloud's state to start from [default: whatever the event names is there]
    #[arg(long, value_name = "FILE")]
    world: Option<PathBuf>,
}

/// A cloud that can be asked.
pub(super) enum Opened {
    Simulated(Box<SimulatedCloud>),
    Real(Box<dyn Client>),
}

impl Opened {
    pub(super) fn as_cloud(&self) -> &dyn Client {
        match self {
            Self::Simulated(cloud) => cloud.as_ref(),
            Self::Real(cloud) => cloud.as_ref(),
        }
    }
}

impl CloudOption {
    pub(super) fn open(&self, now: Timestamp) -> Result<Opened, Failure> {
        let real = match self.cloud {
            Kind::Simulated => {
                return self.simulated(now).map(|cloud| Opened::Simulated(Box::new(cloud)));
            }
            _ if self.world.is_some() => {
                let message = "`--world` belongs to the simulated cloud: leave it out with another `--cloud`";
                return Err(Failure::unusable("usage", message.to_owned()));
            }
            Kind::Aws => platform::aws(),
            Kind::Oci => platform::oci(),
        };
        real.map(Opened::Real).map_err(|error| Failure::unusable("cloud", error.to_string()))
    }

    fn simulated(&self, now: Timestamp) -> Result<SimulatedCloud, Failure> {
        let world = self.world.as_deref().map_or_else(|| Ok(World::default()), read_world)?;
        let cloud = SimulatedCloud::new(world);
        cloud.advance(now);
        Ok(cloud)
    }

    /// Writes a simulated cloud back to where it was read from.
    pub(super) fn save(&self, cloud: &Opened) -> Result<(), Failure> {
        match (cloud, &self.world) {
            (Opened::Simulated(cloud), Some(path)) => write_world(path, cloud),
            (Opened::Simulated(_) | Opened::Real(_), _) => Ok(()),
        }
    }
}
