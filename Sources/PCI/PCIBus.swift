// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory

/// PCI bus 0: 32 devices of up to 8 functions, and the wires their INTx pins share.
public final class PCIBus {
  /// The ports that base address registers map into.
  public let ports: PortSpace
  /// The memory that base address registers map into.
  public let memory: MemorySpace
  /// Where interrupts go: line 0 … 3 is INTA# … INTD# of the bus after the slots' swizzle, i.e. the PIRQ
  /// lines of the ISA bridge.
  public var interruptRouter: (any InterruptSink)? {
    didSet { for line in 0..<4 { interruptRouter?.setInterruptLine(line, isRaised: isRaised(line: line)) } }
  }
  /// Traces configuration accesses.
  public let trace = TraceCategory("pci")

  private var slots: [PCIFunction?] = Array(repeating: nil, count: 256)
  /// How many functions hold each line: shared lines are wired-or.
  private let holders = UnsafeMutablePointer<Int>.allocate(capacity: 4)

  /// An empty bus.
  public init(ports: PortSpace, memory: MemorySpace) {
    self.ports = ports
    self.memory = memory
    holders.initialize(repeating: 0, count: 4)
  }

  deinit { holders.deallocate() }

  /// Plugs a function in.
  /// - Returns: false if the place is taken.
  @discardableResult
  public func plug(_ function: PCIFunction, at address: PCIAddress) -> Bool {
    let index = address.device * 8 + address.function
    guard slots[index] == nil else { return false }
    slots[index] = function
    function.plugIn(to: self, at: address)
    return true
  }

  /// The function at `address`.
  public subscript(address: PCIAddress) -> PCIFunction? { slots[address.device * 8 + address.function] }

  /// The functions that are plugged in, by address.
  public var functions: [PCIFunction] { slots.compactMap { $0 } }

  /// The lowest device number at or above `first` with nothing in it.
  public func freeDevice(from first: Int = 2) -> Int? {
    (min(max(0, first), 32)..<32).first { device in (0..<8).allSatisfy { slots[device * 8 + $0] == nil } }
  }

  /// The bus line that pin `pin` (1 … 4) of a device drives: INTx pins rotate by device number (PCI 3.0,
  /// section 2.2.6), on this board as on QEMU's: line = (pin - 1 + device - 1) mod 4.
  public static func line(device: Int, pin: UInt8) -> Int { (Int(pin) - 1 + device - 1 + 4) & 3 }

  /// Whether any function holds line 0 … 3.
  public func isRaised(line: Int) -> Bool { holders[line & 3] > 0 }

  /// A function begins or ceases to hold a line; functions tell changes only.
  func setInterrupt(device: Int, pin: UInt8, isRaised: Bool) {
    let line = Self.line(device: device, pin: pin)
    let before = holders[line]
    holders[line] = max(0, before + (isRaised ? 1 : -1))
    if (before > 0) != (holders[line] > 0) { interruptRouter?.setInterruptLine(line, isRaised: isRaised) }
  }

  /// Reads configuration space; all ones where there is no function.
  public func readConfiguration(_ address: PCIAddress, _ offset: Int, _ width: AccessWidth) -> UInt32 {
    guard let function = self[address] else { return UInt32(truncatingIfNeeded: width.allOnes) }
    let value = function.readConfiguration(offset & 0xFF, width)
    trace("\(address) \(function.name) read \(hex(offset)) width \(width.count) -> \(hex(value))")
    return value
  }

  /// Writes configuration space; dropped where there is no function.
  public func writeConfiguration(_ address: PCIAddress, _ offset: Int, _ value: UInt32, _ width: AccessWidth)
  {
    guard let function = self[address] else { return }
    trace("\(address) \(function.name) write \(hex(offset)) width \(width.count) <- \(hex(value))")
    function.writeConfiguration(offset & 0xFF, value, width)
  }
}
