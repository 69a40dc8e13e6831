//! What `STAND_INS` asks for: names, each with its faults.

use std::env::{self, VarError};
use std::time::Duration;

use thiserror::Error;

use crate::class;

/// The variable that is read.
pub const VARIABLE: &str = "STAND_INS";

/// Something that a stand-in does wrong. Pictures count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Open,
    Start,
    Hang(u64),
    Die(u64),
    Fail(u64),
    Garbage,
    Silent,
    Slow(Duration),
    Deaf,
    Stiff,
    NoParameters,
    Noise,
    Cuvid,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PlanError {
    #[error("no stand-in is called {0}")]
    Name(String),
    #[error("{name} has no fault {fault}")]
    Fault { name: String, fault: String },
    #[error("{0} is named twice")]
    Twice(String),
    #[error("it is not UTF-8")]
    Encoding,
}

/// The elements to register.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan(Vec<(String, Vec<Fault>)>);

impl Plan {
    /// The plan of this process; empty without the variable.
    pub fn read() -> Result<Self, PlanError> {
        match env::var(VARIABLE) {
            Ok(text) => Self::parse(&text),
            Err(VarError::NotPresent) => Ok(Self::default()),
            Err(VarError::NotUnicode(_)) => Err(PlanError::Encoding),
        }
    }

    fn parse(text: &str) -> Result<Self, PlanError> {
        let mut elements: Vec<(String, Vec<Fault>)> = Vec::new();
        for word in text.split_whitespace() {
            let (name, faults) = word.split_once(':').unwrap_or((word, ""));
            let faults = faults
                .split(',')
                .filter(|fault| !fault.is_empty())
                .map(|fault| {
                    parse_fault(fault).ok_or_else(|| PlanError::Fault {
                        name: name.to_owned(),
                        fault: fault.to_owned(),
                    })
                })
                .collect::<Result<Vec<_>, _>>()?;
            if elements.iter().any(|(known, _)| known == name) {
                return Err(PlanError::Twice(name.to_owned()));
            }
            if class::find(name, &faults).is_none() {
                return Err(PlanError::Name(name.to_owned()));
            }
            elements.push((name.to_owned(), faults));
        }
        Ok(Self(elements))
    }

    pub fn elements(&self) -> impl Iterator<Item = (&str, &[Fault])> {
        self.0
            .iter()
            .map(|(name, faults)| (name.as_str(), faults.as_slice()))
    }

    /// The faults of an element; none when it is not in the plan.
    pub fn faults(self, name: &str) -> Vec<Fault> {
        let mut elements = self.0.into_iter();
        elements
            .find(|(known, _)| known == name)
            .map(|(_, faults)| faults)
            .unwrap_or_default()
    }
}

fn parse_fault(text: &str) -> Option<Fault> {
    if let Some(millis) = text.strip_prefix("slow=") {
        return millis
            .parse()
            .ok()
            .map(Duration::from_millis)
            .map(Fault::Slow);
    }
    let (word, at) = match text.split_once('@') {
        Some((word, at)) => (word, Some(at.parse().ok()?)),
        None => (text, None),
    };
    let first = at.unwrap_or(1);
    match word {
        "hang" => Some(Fault::Hang(first)),
        "die" => Some(Fault::Die(first)),
        "fail" => Some(Fault::Fail(first)),
        _ if at.is_some() => None,
        "open" => Some(Fault::Open),
        "start" => Some(Fault::Start),
        "garbage" => Some(Fault::Garbage),
        "silent" => Some(Fault::Silent),
        "deaf" => Some(Fault::Deaf),
        "stiff" => Some(Fault::Stiff),
        "no-parameters" => Some(Fault::NoParameters),
        "noise" => Some(Fault::Noise),
        "cuvid" => Some(Fault::Cuvid),
        _ => None,
    }
}
