// SPDX-License-Identifier: GPL-2.0-or-later

import CKVM
import CPU

/// CPUID leaves, one entry for each function and index.
struct CPUIDTable {
  private(set) var entries: [kvm_cpuid_entry2] = []

  init() {}
  init(_ entries: [kvm_cpuid_entry2]) { self.entries = entries }

  /// Functions whose answer depends on ECX.
  private static let indexed: Set<UInt32> = [4, 7, 0xB, 0xD, 0x8000_001D]

  private func position(_ function: UInt32, _ index: UInt32) -> Int? {
    entries.firstIndex { $0.function == function && ($0.index == index || $0.flags & 1 == 0 && index == 0) }
  }

  subscript(function: UInt32, index: UInt32) -> kvm_cpuid_entry2? {
    position(function, index).map { entries[$0] }
  }

  /// Replaces or adds an entry.
  mutating func insert(_ entry: kvm_cpuid_entry2) {
    if let position = position(entry.function, entry.index) {
      entries[position] = entry
    } else {
      entries.append(entry)
    }
  }

  mutating func set(
    _ function: UInt32, index: UInt32 = 0, eax: UInt32 = 0, ebx: UInt32 = 0, ecx: UInt32 = 0, edx: UInt32 = 0
  ) {
    var entry = kvm_cpuid_entry2()
    (entry.function, entry.index) = (function, index)
    // KVM_CPUID_FLAG_SIGNIFCANT_INDEX
    entry.flags = Self.indexed.contains(function) ? 1 : 0
    (entry.eax, entry.ebx, entry.ecx, entry.edx) = (eax, ebx, ecx, edx)
    insert(entry)
  }

  mutating func set(_ function: UInt32, index: UInt32 = 0, _ leaf: CPUIDLeaf) {
    set(function, index: index, eax: leaf.eax, ebx: leaf.ebx, ecx: leaf.ecx, edx: leaf.edx)
  }

  mutating func removeAll(where condition: (kvm_cpuid_entry2) -> Bool) { entries.removeAll(where: condition) }

  /// Changes an entry, if it is there.
  mutating func change(_ function: UInt32, _ body: (inout kvm_cpuid_entry2) -> Void) {
    if let position = position(function, 0) { body(&entries[position]) }
  }

  /// Changes all entries of a function.
  mutating func changeAll(_ function: UInt32, _ body: (inout kvm_cpuid_entry2) -> Void) {
    for position in entries.indices where entries[position].function == function { body(&entries[position]) }
  }

  /// Changes the registers of all entries of a function.
  mutating func changeLeaves(_ function: UInt32, _ body: (inout CPUIDLeaf) -> Void) {
    changeAll(function) { entry in
      var leaf = CPUIDLeaf(eax: entry.eax, ebx: entry.ebx, ecx: entry.ecx, edx: entry.edx)
      body(&leaf)
      (entry.eax, entry.ebx, entry.ecx, entry.edx) = (leaf.eax, leaf.ebx, leaf.ecx, leaf.edx)
    }
  }

  // MARK: Features

  func contains(_ word: CPUIDWord) -> Bool {
    position(word.location.function, word.location.index) != nil
  }

  subscript(word: CPUIDWord) -> UInt32 {
    get {
      guard let entry = self[word.location.function, word.location.index] else { return 0 }
      return switch word.location.register {
      case .eax: entry.eax
      case .ebx: entry.ebx
      case .ecx: entry.ecx
      case .edx: entry.edx
      }
    }
    set {
      guard let position = position(word.location.function, word.location.index) else { return }
      switch word.location.register {
      case .eax: entries[position].eax = newValue
      case .ebx: entries[position].ebx = newValue
      case .ecx: entries[position].ecx = newValue
      case .edx: entries[position].edx = newValue
      }
    }
  }

  // MARK: Strings

  /// The twelve characters of leaf 0.
  var vendor: String {
    guard let leaf = self[0, 0] else { return "" }
    return String(decoding: Self.bytes(leaf.ebx) + Self.bytes(leaf.edx) + Self.bytes(leaf.ecx), as: UTF8.self)
  }

  /// The brand string of leaves 0x80000002 … 4, at most 47 characters.
  mutating func setBrand(_ brand: String) {
    for (number, leaf) in CPUIDLeaf.brand(brand).enumerated() { set(0x8000_0002 + UInt32(number), leaf) }
  }

  /// That string without the spaces around it, which some processors have.
  var brand: String {
    var text: [UInt8] = []
    for leaf in 0x8000_0002...0x8000_0004 as ClosedRange<UInt32> {
      guard let entry = self[leaf, 0] else { break }
      for word in [entry.eax, entry.ebx, entry.ecx, entry.edx] { text += Self.bytes(word) }
    }
    let visible = text.prefix { $0 != 0 }.drop { $0 == 0x20 }
    return String(decoding: visible.reversed().drop { $0 == 0x20 }.reversed(), as: UTF8.self)
  }

  private static func bytes(_ word: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32($0 * 8)) }
  }
}
