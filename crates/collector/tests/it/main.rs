//! The collector from outside: requests through its real router and a real HTTP/2 socket, with the
//! log in memory behind it. After each one the account must balance (P3).

mod answers;
mod grpc;
mod limits;
mod support;
