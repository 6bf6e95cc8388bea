// SPDX-License-Identifier: GPL-2.0-or-later

/// A list as KVM's requests take it: a 32-bit count, 32 bits of padding or flags, and the elements
/// (`kvm_cpuid2`, `kvm_msrs`, `kvm_irq_routing`), or the elements at once (`kvm_msr_list`).
struct VariableLengthList<Element>: ~Copyable {
  let bytes: UnsafeMutableRawPointer
  let capacity: Int
  private let headerSize: Int

  /// Room for `capacity` elements, zeroed, with the count set to it.
  init(capacity: Int, headerSize: Int = 8) {
    self.capacity = capacity
    self.headerSize = headerSize
    let size = headerSize + capacity * MemoryLayout<Element>.stride
    bytes = .allocate(byteCount: size, alignment: 8)
    bytes.initializeMemory(as: UInt8.self, repeating: 0, count: size)
    bytes.storeBytes(of: UInt32(truncatingIfNeeded: capacity), as: UInt32.self)
  }

  /// The elements given.
  init(_ elements: [Element], headerSize: Int = 8) {
    self.init(capacity: elements.count, headerSize: headerSize)
    for (index, element) in elements.enumerated() { self[index] = element }
  }

  deinit { bytes.deallocate() }

  /// The count in the header, as the kernel may have changed it.
  var count: Int { min(capacity, Int(bytes.load(as: UInt32.self))) }

  /// An element of the C structure's flexible array; they are all plain data.
  subscript(index: Int) -> Element {
    get { start[index] }
    nonmutating set { start[index] = newValue }
  }

  private var start: UnsafeMutablePointer<Element> {
    (bytes + headerSize).assumingMemoryBound(to: Element.self)
  }

  /// The elements the header counts.
  var elements: [Element] { (0..<count).map { self[$0] } }
}
