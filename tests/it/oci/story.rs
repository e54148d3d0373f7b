//! The main job on OCI.
