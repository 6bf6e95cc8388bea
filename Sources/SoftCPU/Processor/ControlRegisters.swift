// SPDX-License-Identifier: GPL-2.0-or-later

/// Bits of CR0 (SDM volume 3, section 2.5).
enum ControlRegister0 {
  static let protection: UInt64 = 1 << 0
  static let monitorCoprocessor: UInt64 = 1 << 1
  static let emulation: UInt64 = 1 << 2
  static let taskSwitched: UInt64 = 1 << 3
  static let extensionType: UInt64 = 1 << 4
  static let numericError: UInt64 = 1 << 5
  static let writeProtect: UInt64 = 1 << 16
  static let alignmentMask: UInt64 = 1 << 18
  static let notWriteThrough: UInt64 = 1 << 29
  static let cacheDisable: UInt64 = 1 << 30
  static let paging: UInt64 = 1 << 31
  static let implemented: UInt64 = 0xE005_003F
  /// Whose change reloads PAE paging's page directory pointers (SDM volume 3, section 4.4.1).
  static let reloadsPointers = paging | cacheDisable | notWriteThrough
}

/// Bits of CR4 (SDM volume 3, section 2.5).
enum ControlRegister4 {
  static let virtual8086Extensions: UInt64 = 1 << 0
  static let protectedVirtualInterrupts: UInt64 = 1 << 1
  static let timeStampDisable: UInt64 = 1 << 2
  static let debuggingExtensions: UInt64 = 1 << 3
  static let pageSizeExtension: UInt64 = 1 << 4
  static let physicalAddressExtension: UInt64 = 1 << 5
  static let machineCheck: UInt64 = 1 << 6
  static let globalPages: UInt64 = 1 << 7
  static let performanceCounters: UInt64 = 1 << 8
  static let saveSIMD: UInt64 = 1 << 9
  static let simdExceptions: UInt64 = 1 << 10
  static let userModeInstructionPrevention: UInt64 = 1 << 11
  static let fsgsbase: UInt64 = 1 << 16
  static let extendedStates: UInt64 = 1 << 18
  static let supervisorExecutionPrevention: UInt64 = 1 << 20
  static let supervisorAccessPrevention: UInt64 = 1 << 21
  static let implemented: UInt64 = 0x0035_0FFF
  /// Whose change reloads PAE paging's page directory pointers (SDM volume 3, section 4.4.1).
  static let reloadsPointers =
    physicalAddressExtension | globalPages | pageSizeExtension | supervisorExecutionPrevention
  /// Those that may be set only if CPUID tells of what they switch on.
  static let announced =
    userModeInstructionPrevention | fsgsbase | extendedStates | supervisorExecutionPrevention
    | supervisorAccessPrevention
}

/// Bits of IA32_EFER (SDM volume 4, table 2-2).
enum ExtendedFeature {
  static let systemCall: UInt64 = 1 << 0
  static let longModeEnable: UInt64 = 1 << 8
  static let longModeActive: UInt64 = 1 << 10
  static let noExecute: UInt64 = 1 << 11
}
