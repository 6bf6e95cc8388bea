// SPDX-License-Identifier: GPL-2.0-or-later

import Block
import Glibc

/// Drives and their media. Called on the event loop with the machine's lock held.
extension Machine {
  /// All drives, in the order of the configuration.
  public var drives: [Drive] { board.drives }

  /// The drive with this name.
  public func drive(named name: String) throws(MachineError) -> Drive {
    guard let drive = board.drives.first(where: { $0.name == name }) else {
      throw MachineError("Device '\(name)' not found")
    }
    return drive
  }

  /// Tells the world what happens to a drive.
  func tellEvents(of drive: Drive) {
    drive.onTrayMoved = { [unowned self, unowned drive] in
      onEvent?(
        .trayMoved(
          drive: drive.name, deviceID: drive.deviceID, isOpen: drive.isTrayOpen))
    }
    drive.onError = { [unowned self, unowned drive] request, policy, code in
      let action: MachineEvent.BlockErrorAction =
        switch policy {
        case .ignore: .ignore
        case .stop: .stop
        case .report, .enospc: .report
        }
      onEvent?(
        .blockError(
          drive: drive.name, isRead: request.operation == .read, action: action, isNoSpace: code == ENOSPC,
          reason: String(cString: strerror(code))))
    }
  }

  private func removableDrive(_ name: String) throws(MachineError) -> Drive {
    let drive = try drive(named: name)
    guard drive.kind == .cdrom else { throw MachineError("Device '\(name)' is not removable") }
    return drive
  }

  /// Opens the tray.
  /// - Parameter force: even if the guest has locked it.
  /// - Returns: false if the guest has locked it: it was asked to unlock it.
  @discardableResult
  public func openTray(ofDrive name: String, force: Bool) throws(MachineError) -> Bool {
    let drive = try removableDrive(name)
    guard !drive.isTrayOpen else { return true }
    if drive.isLocked && !force {
      drive.observer?.driveEjectRequested(drive)
      return false
    }
    drive.moveTrayFromOutside(isOpen: true)
    return true
  }

  /// Closes the tray.
  public func closeTray(ofDrive name: String) throws(MachineError) {
    try removableDrive(name).moveTrayFromOutside(isOpen: false)
  }

  /// Takes the disc out of an open tray.
  public func removeMedium(fromDrive name: String) throws(MachineError) {
    let drive = try removableDrive(name)
    guard drive.isTrayOpen else { throw MachineError("Tray of device '\(name)' is not open") }
    drive.change(medium: nil)?.close()
  }

  /// Puts an image into an open, empty tray.
  public func insertMedium(_ path: String, intoDrive name: String) throws(MachineError) {
    let drive = try removableDrive(name)
    guard drive.isTrayOpen else { throw MachineError("Tray of device '\(name)' is not open") }
    guard drive.medium == nil else { throw MachineError("There already is a medium in device '\(name)'") }
    drive.change(medium: try openDisc(path))
  }

  /// Exchanges the disc: opens the tray, puts the image in, closes the tray.
  /// - Throws: a sentence if the guest has locked the tray and `force` does not say otherwise, or the image cannot be
  ///   opened; then the old disc stays.
  public func changeMedium(ofDrive name: String, to path: String, force: Bool) throws(MachineError) {
    let drive = try removableDrive(name)
    // What can go wrong comes before anything is changed.
    let medium = try openDisc(path)
    if drive.isLocked && !drive.isTrayOpen && !force {
      drive.observer?.driveEjectRequested(drive)
      medium.close()
      throw MachineError(Self.locked(name))
    }
    drive.moveTrayFromOutside(isOpen: true)
    drive.change(medium: medium)?.close()
    drive.moveTrayFromOutside(isOpen: false)
  }

  /// Takes the disc out: opens the tray and empties it.
  public func eject(drive name: String, force: Bool) throws(MachineError) {
    guard try openTray(ofDrive: name, force: force) else { throw MachineError(Self.locked(name)) }
    try removeMedium(fromDrive: name)
  }

  private static func locked(_ name: String) -> String {
    "Device '\(name)' is locked and force was not specified, wait for tray to open and try again"
  }

  private func openDisc(_ path: String) throws(MachineError) -> any BlockDevice {
    var options = BlockOptions()
    options.isReadOnly = true
    do {
      return try RawImage.open(path: path, options: options, loop: loop)
    } catch {
      throw MachineError(error)
    }
  }
}
