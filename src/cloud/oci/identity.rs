//! Who asks: the function's resource principal, or a user with an API key.
