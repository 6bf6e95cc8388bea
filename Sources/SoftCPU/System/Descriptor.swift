// SPDX-License-Identifier: GPL-2.0-or-later

/// A segment descriptor as it is in memory (SDM volume 3, figure 3-8).
struct Descriptor {
  var raw: UInt64
  /// Bits 32 … 63 of the base, in the system descriptors of long mode.
  var upperBase: UInt64 = 0

  var type: UInt8 { UInt8(raw >> 40 & 15) }
  /// Code or data, not a system segment or gate.
  var isSegment: Bool { raw >> 44 & 1 != 0 }
  var dpl: UInt8 { UInt8(raw >> 45 & 3) }
  var isPresent: Bool { raw >> 47 & 1 != 0 }
  var isLong: Bool { raw >> 53 & 1 != 0 }
  /// D/B.
  var isBig: Bool { raw >> 54 & 1 != 0 }

  var isCode: Bool { isSegment && type & 8 != 0 }
  var isConforming: Bool { isCode && type & 4 != 0 }
  var isReadableCode: Bool { isCode && type & 2 != 0 }
  var isData: Bool { isSegment && type & 8 == 0 }
  var isWritableData: Bool { isData && type & 2 != 0 }

  var base: UInt64 { raw >> 16 & 0xFF_FFFF | raw >> 32 & 0xFF00_0000 | upperBase << 32 }
  /// In bytes.
  var limit: UInt32 {
    let limit = UInt32(raw & 0xFFFF | raw >> 32 & 0xF_0000)
    return raw >> 55 & 1 != 0 ? limit << 12 | 0xFFF : limit
  }
  /// As ``SegmentRegister`` keeps them.
  var attributes: UInt16 { UInt16(raw >> 40 & 0xFF | raw >> 44 & 0xF00) }

  func register(_ selector: UInt16) -> SegmentRegister {
    SegmentRegister(selector: selector, attributes: attributes, limit: limit, base: base)
  }

  // MARK: Gates (SDM volume 3, figures 5-8, 6-2, 6-8)

  var gateSelector: UInt16 { UInt16(truncatingIfNeeded: raw >> 16) }
  var gateOffset: UInt64 { raw & 0xFFFF | raw >> 32 & 0xFFFF_0000 | upperBase << 32 }
  var gateParameterCount: Int { Int(raw >> 32 & 31) }
  /// The interrupt stack table entry of a gate in long mode.
  var gateStack: UInt64 { raw >> 32 & 7 }
}

/// Types of system descriptors (SDM volume 3, table 3-2).
enum SystemDescriptorType {
  static let availableTSS16: UInt8 = 1
  static let ldt: UInt8 = 2
  static let busyTSS16: UInt8 = 3
  static let callGate16: UInt8 = 4
  static let taskGate: UInt8 = 5
  static let interruptGate16: UInt8 = 6
  static let trapGate16: UInt8 = 7
  static let availableTSS: UInt8 = 9
  static let busyTSS: UInt8 = 11
  static let callGate: UInt8 = 12
  static let interruptGate: UInt8 = 14
  static let trapGate: UInt8 = 15
}

extension SegmentRegister {
  /// ``attributes``: not usable, as after a null selector was loaded.
  static let unusable: UInt16 = 1 << 12
  static let bigBit: UInt16 = 1 << 10
  static let longBit: UInt16 = 1 << 9

  var isUsable: Bool { attributes & Self.unusable == 0 }
  var type: UInt8 { UInt8(attributes & 15) }
  var dpl: UInt8 { UInt8(attributes >> 5 & 3) }
  var isBig: Bool { attributes & Self.bigBit != 0 }
  var isLong: Bool { attributes & Self.longBit != 0 }
  var isPresent: Bool { attributes & 0x80 != 0 }

  /// A segment in real and virtual-8086 mode.
  static func real(_ selector: UInt16, dpl: UInt8 = 0) -> SegmentRegister {
    SegmentRegister(
      selector: selector, attributes: 0x93 | UInt16(dpl) << 5, limit: 0xFFFF, base: UInt64(selector) << 4)
  }
}

extension UnsafeMutablePointer<Processor> {
  var isProtected: Bool { pointee.cr0 & ControlRegister0.protection != 0 }
  var isVirtual8086: Bool { pointee.systemFlags & Flag.virtual8086 != 0 }
  var isLongModeActive: Bool { pointee.efer & ExtendedFeature.longModeActive != 0 }
  var ioPrivilege: UInt8 { UInt8(pointee.systemFlags >> 12 & 3) }

  /// Where a selector's descriptor is; nil if it is outside its table.
  func descriptorAddress(_ selector: UInt16, count: UInt32 = 8) -> UInt64? {
    let offset = UInt32(selector & ~7)
    if selector & 4 != 0 {
      guard pointee.ldtr.isUsable, pointee.ldtr.selector & ~3 != 0, offset &+ count &- 1 <= pointee.ldtr.limit
      else {
        return nil
      }
      return pointee.ldtr.base &+ UInt64(offset)
    }
    guard offset &+ count &- 1 <= pointee.gdtLimit else { return nil }
    return pointee.gdtBase &+ UInt64(offset)
  }

  /// Reads a selector's descriptor; `vector` with the selector as error code if there is none.
  func descriptor(_ selector: UInt16, orRaise vector: ExceptionVector = .generalProtection) -> Descriptor? {
    guard let address = descriptorAddress(selector) else {
      raise(vector, UInt32(selector & ~3))
      return nil
    }
    guard let raw = loadSystem(address, as: UInt64.self) else { return nil }
    return Descriptor(raw: raw)
  }

  /// Reads a selector's system descriptor, which has 16 bytes in long mode.
  func systemDescriptor(_ selector: UInt16, orRaise vector: ExceptionVector = .generalProtection)
    -> Descriptor?
  {
    guard isLongModeActive else { return descriptor(selector, orRaise: vector) }
    guard let address = descriptorAddress(selector, count: 16) else {
      raise(vector, UInt32(selector & ~3))
      return nil
    }
    guard let low = loadSystem(address, as: UInt64.self), let high = loadSystem(address &+ 8, as: UInt64.self)
    else {
      return nil
    }
    return Descriptor(raw: low, upperBase: high & 0xFFFF_FFFF)
  }

  /// Sets the accessed bit of a descriptor that is being loaded.
  func markAccessed(_ selector: UInt16, _ descriptor: inout Descriptor) -> Bool {
    guard descriptor.type & 1 == 0, let address = descriptorAddress(selector) else { return true }
    descriptor.raw |= 1 << 40
    return storeSystem(address &+ 5, UInt8(truncatingIfNeeded: descriptor.raw >> 40))
  }

  // MARK: Loading segment registers

  /// Loads ES, SS, DS, FS or GS (SDM volume 2, MOV).
  func loadSegment(_ number: Int, _ selector: UInt16) -> Bool {
    if !isProtected || isVirtual8086 {
      // The rights stay as they were in real mode ("unreal mode" lives from it).
      if isVirtual8086 {
        pointee.segments[number] = .real(selector, dpl: 3)
      } else {
        pointee.segments[number].selector = selector
        pointee.segments[number].base = UInt64(selector) << 4
        pointee.segments[number].attributes &= ~SegmentRegister.unusable
      }
      updateMode()
      return true
    }
    guard selector & ~3 != 0 else {
      if number == 2 {
        // A null SS is for 64-bit code below privilege level 3.
        guard pointee.mode.isLong, pointee.cpl != 3, UInt8(selector & 3) == pointee.cpl else {
          return raise(.generalProtection)
        }
      }
      pointee.segments[number] = .null(selector, dpl: number == 2 ? pointee.cpl : 0)
      updateMode()
      return true
    }
    guard var descriptor = descriptor(selector) else { return false }
    let code = UInt32(selector & ~3)
    let rpl = UInt8(selector & 3)
    if number == 2 {
      guard rpl == pointee.cpl, descriptor.isWritableData, descriptor.dpl == pointee.cpl else {
        return raise(.generalProtection, code)
      }
      guard descriptor.isPresent else { return raise(.stackFault, code) }
    } else {
      guard descriptor.isData || descriptor.isReadableCode,
        descriptor.isConforming || descriptor.dpl >= pointee.cpl && descriptor.dpl >= rpl
      else { return raise(.generalProtection, code) }
      guard descriptor.isPresent else { return raise(.segmentNotPresent, code) }
    }
    guard markAccessed(selector, &descriptor) else { return false }
    pointee.segments[number] = descriptor.register(selector)
    updateMode()
    return true
  }

  /// Recomputes what follows from CS, SS, CR0, EFER and RFLAGS.VM.
  func updateMode() {
    var mode = ExecutionMode()
    let code = pointee.segments[1]
    let isActive = isLongModeActive
    let isLong = isActive && code.isLong
    if isLong { mode.bits |= ExecutionMode.long }
    if isActive { mode.bits |= ExecutionMode.longActive }
    if !isLong && code.isBig { mode.bits |= ExecutionMode.code32 }
    if pointee.segments[2].isBig { mode.bits |= ExecutionMode.stack32 }
    if isProtected { mode.bits |= ExecutionMode.protected }
    if isVirtual8086 { mode.bits |= ExecutionMode.virtual8086 }
    if pointee.cpl == 3 { mode.bits |= ExecutionMode.user }
    if isLong {
      pointee.flatBase[4] = pointee.segments[4].base
      pointee.flatBase[5] = pointee.segments[5].base
      pointee.codeBase = 0
    } else {
      pointee.flatBase[4] = 0
      pointee.flatBase[5] = 0
      pointee.codeBase = code.base
      for number in 0..<6 {
        let segment = pointee.segments[number]
        let isFlat =
          segment.base == 0 && segment.limit == 0xFFFF_FFFF && segment.attributes & 0x109E == 0x92
        if !isFlat { mode.bits |= 1 << (ExecutionMode.checkedShift + UInt32(number)) }
      }
    }
    mode.bits |= pointee.mode.bits & ExecutionMode.single
    pointee.mode = mode
    updateTranslations()
  }

  /// Chooses the TLB entries that hold for the present rights.
  func updateTranslations() {
    pointee.owner._withUnsafeGuaranteedRef { owner in
      pointee.tlb = owner.translations.data.entries(isChecked ? .checked : accessKind)
    }
  }

  // MARK: Segment checks outside 64-bit code

  /// The linear address of `count` bytes in a segment with its limit and rights looked at (SDM volume 3,
  /// sections 5.3 and 5.5).
  @inline(never)
  func checkedLinear(_ number: UInt8, _ offset: UInt64, count: Int, _ access: MemoryAccess) -> UInt64? {
    let segment = pointee.segments[Int(number)]
    let vector = number == 2 ? ExceptionVector.stackFault : .generalProtection
    let last = offset &+ UInt64(count) &- 1
    var isAllowed = segment.isUsable
    if pointee.mode.isProtected, !pointee.mode.isVirtual8086 {
      let isCode = segment.type & 8 != 0
      switch access {
      case .write: isAllowed = isAllowed && !isCode && segment.type & 2 != 0
      default: isAllowed = isAllowed && (!isCode || segment.type & 2 != 0)
      }
    }
    // Expand-down: the addresses above the limit.
    if segment.type & 0xC == 4 {
      isAllowed =
        isAllowed && offset > UInt64(segment.limit) && last <= (segment.isBig ? 0xFFFF_FFFF : 0xFFFF)
    } else {
      isAllowed = isAllowed && last <= UInt64(segment.limit)
    }
    guard isAllowed else {
      raise(vector)
      return nil
    }
    let linear = (segment.base &+ offset) & 0xFFFF_FFFF
    // Where the operand wraps around, below 0, so that it is not taken for one beyond the end.
    return linear &+ UInt64(count) > 1 << 32 ? linear &- 1 << 32 : linear
  }
}

extension SegmentRegister {
  /// What a null selector leaves.
  static func null(_ selector: UInt16, dpl: UInt8 = 0) -> SegmentRegister {
    SegmentRegister(selector: selector, attributes: Self.unusable | UInt16(dpl) << 5, limit: 0, base: 0)
  }
}
