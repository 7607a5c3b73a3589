//! Everything that can be wrong in a `config.json` is found here, all at once, before anything changes.
