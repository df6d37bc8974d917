//! Packs the probabilities of a recording for the database, without loss. A rounded value could move across a threshold,
//! and the segments cut from it would differ from those of a fresh run.

use std::{
    cell::RefCell,
    io::{self, Read, Write},
};

use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};

/// The format's number in the database: little-endian f32, all first bytes, then all second bytes and so on, in zlib's
/// format. The bytes that hold sign, exponent and the first digits are similar and compress well; the others hardly do.
pub const CODING: u32 = 1;

const BYTES: usize = size_of::<f32>();

/// Why stored probabilities cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// They were packed by a later version.
    #[error("they are packed in format {0}, which this version does not know")]
    UnknownCoding(u32),
    /// The row's number of windows and the data differ.
    #[error("their number is not that of the recording's windows")]
    WrongCount,
    /// zlib reports damage.
    #[error("they are damaged: {0}")]
    Damaged(#[from] io::Error),
}

thread_local! {
    /// The encoder's tables have some 100 kB. Making them anew takes longer than packing the probabilities of a short recording.
    static ENCODER: RefCell<ZlibEncoder<Vec<u8>>> = RefCell::new(ZlibEncoder::new(Vec::new(), Compression::default()));
}

/// Packs the probabilities of a recording.
///
/// # Errors
/// None in practice: the encoder writes into memory.
pub fn pack(probabilities: &[f32]) -> io::Result<Vec<u8>> {
    ENCODER.with_borrow_mut(|encoder| {
        for byte in 0..BYTES {
            let plane: Vec<u8> = probabilities.iter().map(|probability| probability.to_le_bytes()[byte]).collect();
            encoder.write_all(&plane)?;
        }
        encoder.reset(Vec::new()) // finishes the stream and returns it
    })
}

/// Unpacks `windows` probabilities.
///
/// # Errors
/// Where the data holds another number of them, or is damaged.
pub fn unpack(data: &[u8], windows: usize) -> Result<Vec<f32>, CodecError> {
    let len = windows.checked_mul(BYTES).ok_or(CodecError::WrongCount)?;
    let mut bytes = Vec::new();
    // One byte more than expected shows that there are too many, however many there are.
    ZlibDecoder::new(data).take((len as u64).saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() != len {
        return Err(CodecError::WrongCount);
    }
    let value = |window| f32::from_le_bytes(std::array::from_fn(|byte| bytes[byte * windows + window]));
    Ok((0..windows).map(value).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn unpacks_to_the_same_bits(probabilities in prop::collection::vec(any::<u32>(), 0..3000)) {
            let probabilities: Vec<f32> = probabilities.into_iter().map(f32::from_bits).collect();
            let back = unpack(&pack(&probabilities).unwrap(), probabilities.len()).unwrap();
            prop_assert!(probabilities.iter().map(|p| p.to_bits()).eq(back.iter().map(|p| p.to_bits())));
        }

        #[test]
        fn damaged_data_does_not_panic(data in prop::collection::vec(any::<u8>(), 0..300), windows in 0_usize..1000) {
            let _ = unpack(&data, windows);
        }
    }

    /// `resegment` compares packed probabilities.
    #[test]
    fn equal_probabilities_are_packed_to_equal_bytes() {
        let probabilities: Vec<f32> = (0..5000).map(|n| (n as f32).sin().abs()).collect();
        let first = pack(&probabilities).unwrap();
        pack(&[0.25; 70_000]).unwrap();
        assert_eq!(pack(&probabilities).unwrap(), first);
    }

    #[test]
    fn rejects_another_number_of_windows() {
        let data = pack(&[0.5; 10]).unwrap();
        assert!([9, 11, usize::MAX].iter().all(|&windows| unpack(&data, windows).is_err()));
    }
}
