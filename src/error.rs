//! The one error type. Its text always reads `op: what is wrong: what was given; what to do`.

use std::fmt;
use std::panic::Location;
use std::path::PathBuf;
use std::sync::Arc;

/// The result of everything that can fail in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong, with the numbers and a way out in its text.
///
/// A failed tensor operation does not return this at once: the tensor carries it, and whatever needs values returns it.
///
/// ```
/// use tilework::{Device, Tensor};
/// let cpu = Device::cpu();
/// let bad = Tensor::zeros([2, 3], &cpu).matmul(&Tensor::zeros([4, 5], &cpu)).relu();
/// let text = bad.check().unwrap_err().to_string();
/// assert!(text.starts_with("matmul: inner dimensions differ: left [2, 3], right [4, 5]"), "{text}");
/// ```
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Shapes, ranks or axes that do not go together.
    #[error("{op}: {message}{at}")]
    Shape {
        /// The operation, as its method is spelled.
        op: &'static str,
        /// What is wrong, what was given, what to do.
        message: String,
        /// The caller's line.
        at: At,
    },
    /// An element type that the operation does not take.
    #[error("{op}: {message}{at}")]
    DType {
        /// The operation, as its method is spelled.
        op: &'static str,
        /// What is wrong, what was given, what to do.
        message: String,
        /// The caller's line.
        at: At,
    },
    /// An argument out of its range: an index, a probability, a learning rate.
    #[error("{op}: {message}{at}")]
    Argument {
        /// The operation, as its method is spelled.
        op: &'static str,
        /// What is wrong, what was given, what to do.
        message: String,
        /// The caller's line.
        at: At,
    },
    /// No device of the wanted kind or name.
    #[error("device: {message}")]
    NoDevice {
        /// What was asked for, what there is, what to do.
        message: String,
    },
    /// An allocation that does not fit the device's budget.
    #[error(
        "{device}: out of memory: {requested} bytes asked for, {in_use} in use, budget {budget}; use smaller batches or raise the budget"
    )]
    OutOfMemory {
        /// The device's name.
        device: String,
        /// Bytes of the allocation that failed.
        requested: u64,
        /// Bytes in use when it failed.
        in_use: u64,
        /// The device's budget in bytes.
        budget: u64,
    },
    /// The device went away (driver reset, unplugged, destroyed by its owner). Its tensors are gone.
    #[error("{device}: device lost: {reason}; open the device again and load the last checkpoint")]
    DeviceLost {
        /// The device's name.
        device: String,
        /// What the driver said.
        reason: String,
    },
    /// NaN or infinity where a finite number is needed.
    #[error("{op}: {message}")]
    NonFinite {
        /// Where it was found.
        op: &'static str,
        /// Where it began, what to do.
        message: String,
    },
    /// A table or file of data that cannot be read; names file, line and column where known.
    #[error("{place}: {message}")]
    Data {
        /// `FILE`, `FILE:LINE` or `FILE:LINE:COLUMN (name)`.
        place: String,
        /// What is wrong, what was given, what to do.
        message: String,
    },
    /// A model or weights file that is damaged, foreign or of another kind.
    #[error("{path}: {message}", path = path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong, what was given, what to do.
        message: String,
    },
    /// The operating system refused to read or write.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: Arc<std::io::Error>,
    },
    /// The work was cancelled by its owner.
    #[error("{op}: cancelled by the caller")]
    Cancelled {
        /// What was running.
        op: &'static str,
    },
    /// A fault of this crate. Please report it.
    #[error("{op}: internal fault: {message}; please report this with the line above it")]
    Internal {
        /// Where it was noticed.
        op: &'static str,
        /// What did not hold.
        message: String,
    },
}

/// The line of the user's code that a failed operation was called from.
#[derive(Clone, Copy)]
pub struct At(Option<&'static Location<'static>>);

impl At {
    /// The caller of the `#[track_caller]` function that asks.
    #[track_caller]
    pub fn caller() -> At {
        At(Some(Location::caller()))
    }
}

impl From<&'static Location<'static>> for At {
    fn from(at: &'static Location<'static>) -> At {
        At(Some(at))
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(at) => write!(f, " (at {}:{}:{})", at.file(), at.line(), at.column()),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(at) => write!(f, "{}:{}:{}", at.file(), at.line(), at.column()),
            None => f.write_str("-"),
        }
    }
}

impl Error {
    /// A shape error without a line yet; `record` adds the caller's.
    pub(crate) fn shape(op: &'static str, message: impl Into<String>) -> Error {
        Error::Shape { op, message: message.into(), at: At(None) }
    }

    /// A dtype error without a line yet; `record` adds the caller's.
    pub(crate) fn dtype(op: &'static str, message: impl Into<String>) -> Error {
        Error::DType { op, message: message.into(), at: At(None) }
    }

    /// An argument error without a line yet; `record` adds the caller's.
    pub(crate) fn argument(op: &'static str, message: impl Into<String>) -> Error {
        Error::Argument { op, message: message.into(), at: At(None) }
    }

    pub(crate) fn internal(op: &'static str, message: impl Into<String>) -> Error {
        Error::Internal { op, message: message.into() }
    }

    pub(crate) fn no_device(message: impl Into<String>) -> Error {
        Error::NoDevice { message: message.into() }
    }

    pub(crate) fn data(place: impl Into<String>, message: impl Into<String>) -> Error {
        Error::Data { place: place.into(), message: message.into() }
    }

    pub(crate) fn format(path: impl Into<PathBuf>, message: impl Into<String>) -> Error {
        Error::Format { path: path.into(), message: message.into() }
    }

    pub(crate) fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Error {
        Error::Io { path: path.into(), source: Arc::new(source) }
    }

    /// The same error with the caller's line, unless it has one already: the first line wins.
    pub(crate) fn located(mut self, line: &'static Location<'static>) -> Error {
        if let Error::Shape { at, .. } | Error::DType { at, .. } | Error::Argument { at, .. } = &mut self
            && at.0.is_none()
        {
            *at = At(Some(line));
        }
        self
    }

    /// The same error with the layer of the network that it began in; from without, each layer around it adds its name.
    pub(crate) fn in_layer(mut self, name: &dyn fmt::Display, kind: &str) -> Error {
        const MARK: &str = " [in layer ";
        if let Error::Shape { message, .. } | Error::DType { message, .. } | Error::Argument { message, .. } = &mut self
        {
            match message.rfind(MARK) {
                Some(at) => message.insert_str(at + MARK.len(), &format!("{name}.")),
                None => message.push_str(&format!("{MARK}{name}, {kind}]")),
            }
        }
        self
    }

    /// A stable short name of the kind of error, for programs that decide by it.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Shape { .. } => "shape",
            Error::DType { .. } => "dtype",
            Error::Argument { .. } => "argument",
            Error::NoDevice { .. } => "no-device",
            Error::OutOfMemory { .. } => "out-of-memory",
            Error::DeviceLost { .. } => "device-lost",
            Error::NonFinite { .. } => "non-finite",
            Error::Data { .. } => "data",
            Error::Format { .. } => "format",
            Error::Io { .. } => "io",
            Error::Cancelled { .. } => "cancelled",
            Error::Internal { .. } => "internal",
        }
    }
}
