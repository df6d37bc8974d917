//! SIMD levels, selected at run time so that one binary runs on every CPU.

use std::fmt;

use pulp::{Scalar, Simd, WithSimd};

/// A set of vector instructions that the engine has kernels for.
///
/// All levels run the same Rust code, written once over [`pulp::Simd`]. They differ in the width of a vector and in
/// whether a product is rounded before it is added, so their probabilities differ by rounding errors (far below 1e-5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SimdLevel {
    /// x86-64 with AVX-512 (F, BW, CD, DQ, VL): 16 values at once.
    Avx512,
    /// x86-64 with AVX2 and FMA: 8 values at once.
    Avx2,
    /// 64-bit ARM: 4 values at once.
    Neon,
    /// No vector instructions, for every CPU.
    Plain,
}

impl SimdLevel {
    const ALL: [Self; 4] = [Self::Avx512, Self::Avx2, Self::Neon, Self::Plain];

    /// The best level of this CPU.
    pub fn detect() -> Self {
        Self::ALL.into_iter().find(|level| level.is_available()).unwrap_or(Self::Plain)
    }

    /// All levels of this CPU, the best first.
    pub fn available() -> Vec<Self> {
        Self::ALL.into_iter().filter(|level| level.is_available()).collect()
    }

    /// Whether this CPU has it.
    pub fn is_available(self) -> bool {
        self.token().is_some()
    }

    /// The proof that this CPU has the level. The kernels need it.
    pub(super) fn token(self) -> Option<Token> {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => pulp::x86::V4::try_new().map(Token::Avx512),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => pulp::x86::V3::try_new().map(Token::Avx2),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => pulp::aarch64::Neon::try_new().map(Token::Neon),
            Self::Plain => Some(Token::PLAIN),
            #[allow(unreachable_patterns, reason = "the levels of the other architectures")]
            _ => None,
        }
    }
}

impl fmt::Display for SimdLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Avx512 => "AVX-512",
            Self::Avx2 => "AVX2 with FMA",
            Self::Neon => "NEON",
            Self::Plain => "plain",
        })
    }
}

/// A level that this CPU is known to have.
#[derive(Debug, Clone, Copy)]
pub(super) enum Token {
    #[cfg(target_arch = "x86_64")]
    Avx512(pulp::x86::V4),
    #[cfg(target_arch = "x86_64")]
    Avx2(pulp::x86::V3),
    #[cfg(target_arch = "aarch64")]
    Neon(pulp::aarch64::Neon),
    Plain(Scalar),
}

impl Token {
    /// The level that every CPU has.
    pub const PLAIN: Self = Self::Plain(Scalar);

    /// Runs a kernel, compiled for this level.
    pub fn run<K: WithSimd>(self, kernel: K) -> K::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(simd) => Simd::vectorize(simd, kernel),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(simd) => Simd::vectorize(simd, kernel),
            #[cfg(target_arch = "aarch64")]
            Self::Neon(simd) => Simd::vectorize(simd, kernel),
            Self::Plain(simd) => Simd::vectorize(simd, kernel),
        }
    }
}
