// SPDX-License-Identifier: GPL-2.0-or-later

/// SHA-1 (FIPS 180-4, 6.1), as the WebSocket handshake wants it. It protects nothing there.
func sha1(_ message: some Collection<UInt8>) -> [UInt8] {
  var state: [UInt32] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0]
  var padded = Array(message)
  padded.append(0x80)
  while padded.count % 64 != 56 { padded.append(0) }
  padded.append(bigEndian: UInt64(message.count) &* 8)

  var words = [UInt32](repeating: 0, count: 80)
  for block in stride(from: 0, to: padded.count, by: 64) {
    for index in 0..<16 {
      let at = block + index * 4
      words[index] =
        UInt32(padded[at]) << 24 | UInt32(padded[at + 1]) << 16 | UInt32(padded[at + 2]) << 8
        | UInt32(padded[at + 3])
    }
    for index in 16..<80 {
      words[index] = rotate(words[index - 3] ^ words[index - 8] ^ words[index - 14] ^ words[index - 16], 1)
    }
    var (a, b, c, d, e) = (state[0], state[1], state[2], state[3], state[4])
    for index in 0..<80 {
      let function: UInt32
      let constant: UInt32
      switch index {
      case 0..<20: (function, constant) = (b & c | ~b & d, 0x5A82_7999)
      case 20..<40: (function, constant) = (b ^ c ^ d, 0x6ED9_EBA1)
      case 40..<60: (function, constant) = (b & c | b & d | c & d, 0x8F1B_BCDC)
      default: (function, constant) = (b ^ c ^ d, 0xCA62_C1D6)
      }
      let next = rotate(a, 5) &+ function &+ e &+ constant &+ words[index]
      (e, d, c, b, a) = (d, c, rotate(b, 30), a, next)
    }
    for (index, value) in [a, b, c, d, e].enumerated() { state[index] = state[index] &+ value }
  }
  var digest: [UInt8] = []
  for word in state { digest.append(bigEndian: word) }
  return digest
}

private func rotate(_ value: UInt32, _ count: UInt32) -> UInt32 { value << count | value >> (32 - count) }
