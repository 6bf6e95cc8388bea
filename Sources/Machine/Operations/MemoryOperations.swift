// SPDX-License-Identifier: GPL-2.0-or-later

import CPU
import GuestMemory

/// Looking at the guest's memory. Called on the event loop with the machine's lock held.
extension Machine {
  /// Whether an address is as the hardware sees it or as a program on a CPU does.
  public enum AddressKind: Sendable, Equatable {
    case physical
    case linear(cpu: Int)
  }

  /// Reads RAM and ROM in pieces of at most a page.
  /// - Parameter body: gets the bytes in their order; what is not mapped is told as zeroes if `fillsHoles`.
  /// - Throws: a sentence with the first address that cannot be read, or what `body` throws.
  public func readMemory(
    _ kind: AddressKind, at address: UInt64, byteCount: UInt64, fillsHoles: Bool = false,
    _ body: (UnsafeRawBufferPointer) throws(MachineError) -> Void
  ) throws(MachineError) {
    let memory = board.memory.memory
    var translation: LinearTranslation?
    if case .linear(let cpu) = kind {
      translation = LinearTranslation(try registers(ofCPU: cpu), memory: memory)
    }
    let page = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 16)
    defer { page.deallocate() }
    var (position, rest) = (address, byteCount)
    while rest > 0 {
      let count = Int(min(rest, 4096 - position & 4095))
      let piece = UnsafeMutableRawBufferPointer(rebasing: page[..<count])
      let physical = translation.map { $0.physical(position) } ?? position
      if physical.map({ memory.read(GuestAddress($0), into: piece) }) != true {
        guard fillsHoles else {
          throw MachineError(
            "there is no memory at address 0x\(String(position, radix: 16)), or it is a device's")
        }
        piece.initializeMemory(as: UInt8.self, repeating: 0)
      }
      try body(UnsafeRawBufferPointer(piece))
      position &+= UInt64(count)
      rest -= UInt64(count)
    }
  }

  /// The physical address of a linear one on a CPU; nil if nothing is mapped there.
  public func physicalAddress(ofLinear address: UInt64, onCPU index: Int) throws(MachineError) -> UInt64? {
    LinearTranslation(try registers(ofCPU: index), memory: board.memory.memory).physical(address)
  }

  /// Writes a stretch of memory to a file, which is replaced.
  public func saveMemory(_ kind: AddressKind, at address: UInt64, byteCount: UInt64, to path: String)
    throws(MachineError)
  {
    let file = try OutputFile(path: path)
    // Physical memory has holes, which QEMU fills as well.
    try readMemory(kind, at: address, byteCount: byteCount, fillsHoles: kind == .physical) {
      bytes throws(MachineError) in try file.write(bytes)
    }
    file.finish()
  }
}
