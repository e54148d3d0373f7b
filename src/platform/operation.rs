//! The operations of all platforms, and what their caller must be allowed to do.

use super::{PLATFORMS, Platform, web};

/// An operation of an API in the API's own spelling, and what its caller must be allowed to do: an IAM action, or a verb
/// and a resource type.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    /// `platform:ApiOperation`.
    pub name: &'static str,
    /// Its own permission first, then what it takes besides.
    pub permissions: &'static [&'static str],
    /// Whether only a person sends it, to set up or to remove what the function works with. No function is granted it.
    pub is_operators_own: bool,
}

impl Operation {
    pub(crate) const fn new(name: &'static str, permissions: &'static [&'static str]) -> Self {
        Self { name, permissions, is_operators_own: false }
    }

    pub(crate) const fn of_operator(name: &'static str, permissions: &'static [&'static str]) -> Self {
        Self { name, permissions, is_operators_own: true }
    }

    /// What the caller must be allowed to do.
    pub fn permission(&self) -> &'static str {
        self.permissions.first().copied().unwrap_or_default()
    }
}

/// Every operation, read or write, that a function or a person may send.
pub fn operations() -> impl Iterator<Item = &'static Operation> {
    let of = |platform: &'static Platform| {
        let reads = platform.targets.iter().flat_map(|target| target.reads);
        platform.operations.iter().chain(reads).chain(platform.reads)
    };
    PLATFORMS.iter().flat_map(of).chain(web::OPERATIONS)
}

/// The permission that an operation takes.
pub fn permission(operation: &str) -> &'static str {
    operations().find(|known| known.name == operation).map_or("", Operation::permission)
}
