//! What is told with each fault, and what must be true of it.

mod files;
mod gates;
mod surroundings;
