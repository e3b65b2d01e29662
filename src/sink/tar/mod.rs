//! A stream in the pax format of tape archives.
