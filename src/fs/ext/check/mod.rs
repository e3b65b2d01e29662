//! The checks of a whole volume.
