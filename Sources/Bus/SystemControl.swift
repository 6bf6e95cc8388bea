// SPDX-License-Identifier: GPL-2.0-or-later

/// Why a machine is to be reset.
public enum ResetCause: String, Sendable, Codable {
  /// A device register asked for it: 0xCF9, port 0x92, the 8042, …
  case guest
  /// A virtual CPU shut down: a triple fault.
  case tripleFault
  /// A person or toolstack asked for it.
  case host
}

/// Why a machine is to end.
public enum ShutdownCause: Equatable, Sendable {
  /// The guest switched the power off (ACPI soft-off).
  case guestPowerOff
  /// The guest asked for a process exit status (`isa-debug-exit`).
  case guestExit(status: Int32)
  /// A person or toolstack asked for it.
  case host
  /// A signal to the process asked for it.
  case signal
}

/// What a guest's kernel reports about itself.
public enum CrashReport: Equatable, Sendable {
  /// It has panicked.
  case panicked
  /// It has panicked, and another kernel takes over to save what there is.
  case crashLoaded
}

/// What devices may ask of the machine as a whole. Each call returns at once; the machine acts soon after,
/// when no device is in the middle of an access.
public protocol SystemControl: AnyObject {
  /// Reset everything.
  func requestReset(_ cause: ResetCause)
  /// End.
  func requestShutdown(_ cause: ShutdownCause)
  /// Stop running until told to go on; `reason` is a sentence for the log and for monitors.
  func requestPause(reason: String)
  /// Pull the CPUs' INIT# (8042 and port 0x92 do so on old boards); treated as a reset of the CPUs alone.
  func requestCPUInit()
  /// The guest says that it has crashed.
  func reportCrash(_ report: CrashReport)
  /// Open or close the A20 gate.
  func setA20(isEnabled: Bool)
}

extension SystemControl {
  public func reportCrash(_ report: CrashReport) {}
}
