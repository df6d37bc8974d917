//! Probabilities packed for keeping, to the bit: any rounding could move one across some threshold, and the segments
//! cut from it would not be those of a fresh run.

use std::io::{self, Read, Write};

use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};

/// The coding's number in the database: little-endian f32, all first bytes, then all second ones and so on, in zlib's
/// format. The bytes that hold sign, exponent and the first digits are alike and pack well; the others hardly do.
pub const CODING: i64 = 1;

const BYTES: usize = size_of::<f32>();

/// Packs the probabilities of a recording.
///
/// # Errors
/// None that memory does not have.
pub fn pack(track: &[f32]) -> io::Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    for byte in 0..BYTES {
        let plane: Vec<u8> = track.iter().map(|probability| probability.to_le_bytes()[byte]).collect();
        encoder.write_all(&plane)?;
    }
    encoder.finish()
}

/// Unpacks `windows` probabilities.
///
/// # Errors
/// Where the data holds another number of them, or is damaged.
pub fn unpack(data: &[u8], windows: usize) -> io::Result<Vec<f32>> {
    let mut bytes = Vec::new();
    // One byte more than belongs there shows that there is too much, however much it is.
    ZlibDecoder::new(data).take((windows * BYTES) as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() != windows * BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not as many probabilities as the row says"));
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
        fn what_is_packed_comes_back_to_the_bit(track in prop::collection::vec(any::<u32>(), 0..3000)) {
            let track: Vec<f32> = track.into_iter().map(f32::from_bits).collect();
            let back = unpack(&pack(&track).unwrap(), track.len()).unwrap();
            prop_assert!(track.iter().map(|p| p.to_bits()).eq(back.iter().map(|p| p.to_bits())));
        }

        #[test]
        fn damage_is_an_error_and_no_panic(data in prop::collection::vec(any::<u8>(), 0..300), windows in 0_usize..1000) {
            let _ = unpack(&data, windows);
        }
    }

    #[test]
    fn a_wrong_number_is_an_error() {
        let data = pack(&[0.5; 10]).unwrap();
        assert!(unpack(&data, 9).is_err() && unpack(&data, 11).is_err());
    }
}
