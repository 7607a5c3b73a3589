//! The rules of compilation, one test each. Decisions are taken by running the compiled program.

use super::evaluate::{Call, evaluate};
use super::*;
