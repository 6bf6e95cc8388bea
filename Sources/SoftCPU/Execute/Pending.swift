// SPDX-License-Identifier: GPL-2.0-or-later

extension Decoder {
  static func sseInstruction(_ opcode: VectorOpcode) -> VectorInstruction? { nil }
}

extension UnsafeMutablePointer<Processor> {
  func activateSIMD() {}
  func deactivateSIMD() {}
  var currentMXCSR: UInt32 {
    get { pointee.mxcsr }
    nonmutating set { pointee.mxcsr = newValue }
  }
}
