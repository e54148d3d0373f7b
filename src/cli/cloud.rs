//! Where the deployments are: on the rehearsed cloud or on a real one, for every verb that answers an event.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use stepladder::cloud::rehearsed::{Rehearsed, World};
use stepladder::cloud::{self, Cloud};

use super::{Failure, read_world, write_world};

/// Where the deployment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// An in-memory cloud with the real semantics: needs no account
    Rehearsed,
    /// Amazon Web Services
    Aws,
    /// Oracle Cloud Infrastructure
    Oci,
}

#[derive(Debug, Args)]
pub(super) struct CloudOption {
    /// Where the deployment is
    #[arg(long, value_enum, default_value_t = Kind::Rehearsed)]
    cloud: Kind,
    /// The rehearsed cloud's state to start from [default: whatever the event names is there]
    #[arg(long, value_name = "FILE")]
    world: Option<PathBuf>,
}

/// A cloud that can be asked.
pub(super) enum Opened {
    Rehearsed(Box<Rehearsed>),
    Real(Box<dyn Cloud>),
}

impl Opened {
    pub(super) fn as_cloud(&self) -> &dyn Cloud {
        match self {
            Self::Rehearsed(cloud) => cloud.as_ref(),
            Self::Real(cloud) => cloud.as_ref(),
        }
    }
}

impl CloudOption {
    pub(super) fn open(&self, now: Timestamp) -> Result<Opened, Failure> {
        let real = match self.cloud {
            Kind::Rehearsed => return self.rehearsed(now).map(|cloud| Opened::Rehearsed(Box::new(cloud))),
            _ if self.world.is_some() => {
                let message = "`--world` belongs to the rehearsed cloud: leave it out with another `--cloud`";
                return Err(Failure::unusable("usage", message.to_owned()));
            }
            Kind::Aws => cloud::aws(),
            Kind::Oci => cloud::oci(),
        };
        real.map(Opened::Real).map_err(|error| Failure::unusable("cloud", error.to_string()))
    }

    fn rehearsed(&self, now: Timestamp) -> Result<Rehearsed, Failure> {
        let world = self.world.as_deref().map_or_else(|| Ok(World::default()), read_world)?;
        let cloud = Rehearsed::new(world);
        cloud.advance(now);
        Ok(cloud)
    }

    /// Writes a rehearsed cloud back to where it was read from.
    pub(super) fn save(&self, cloud: &Opened) -> Result<(), Failure> {
        match (cloud, &self.world) {
            (Opened::Rehearsed(cloud), Some(path)) => write_world(path, cloud),
            (Opened::Rehearsed(_) | Opened::Real(_), _) => Ok(()),
        }
    }
}
