// SPDX-License-Identifier: GPL-2.0-or-later

import Block
import Glibc

/// Drives and their media. Called on the event loop with the machine's lock held.
extension Machine {
  /// All drives, in the order of the configuration.
  public var drives: [Drive] { board.drives }

  /// The drive with this name, or with a device of this id.
  public func drive(named name: String) throws(MachineError) -> Drive {
    let drive = board.drives.first { $0.name == name } ?? board.drives.first { $0.deviceID == name }
    guard let drive else {
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
    letGo(drive.change(medium: nil))
  }

  /// Puts an image with a name of its own into an open, empty tray.
  public func insertMedium(node name: String, intoDrive driveName: String) throws(MachineError) {
    let drive = try drive(named: driveName)
    guard let node = board.blockNodes[name] else { throw MachineError("Node '\(name)' not found") }
    guard let medium = node.medium, !isInUse(medium) else {
      throw MachineError("Node '\(name)' is already in use")
    }
    _ = try removableDrive(driveName)
    guard drive.isTrayOpen else { throw MachineError("Tray of device '\(driveName)' is not open") }
    guard drive.medium == nil else {
      throw MachineError("There already is a medium in device '\(driveName)'")
    }
    drive.change(medium: medium, nodeName: name)
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
    letGo(drive.change(medium: medium))
    drive.moveTrayFromOutside(isOpen: false)
  }

  /// Takes the disc out: opens the tray and empties it.
  public func eject(drive name: String, force: Bool) throws(MachineError) {
    guard try openTray(ofDrive: name, force: force) else { throw MachineError(Self.locked(name)) }
    try removeMedium(fromDrive: name)
  }

  /// An image with a name of its own stays open until it is deleted.
  private func letGo(_ medium: (any BlockDevice)?) {
    guard let medium, !board.blockNodes.owns(medium) else { return }
    medium.close()
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

/// Images with names of their own. Called on the event loop with the machine's lock held.
extension Machine {
  /// An image with a name of its own.
  public struct BlockNodeFacts {
    public let name: String
    /// QEMU's name of what it is: "raw", "file".
    public let driver: String
    /// The open image: of a node that another uses, that node's.
    public let medium: any BlockDevice
    /// How it is opened.
    public let cache: CacheMode
  }

  /// All of them.
  public var blockNodes: [BlockNodeFacts] {
    let nodes = board.blockNodes
    return nodes.all.compactMap { node in
      let parent = node.parent.flatMap { nodes[$0] }
      guard let medium = node.medium ?? parent?.medium else { return nil }
      return BlockNodeFacts(
        name: node.name, driver: node.configuration.driver.rawValue, medium: medium,
        cache: nodes.cache(of: node))
    }
  }

  /// Opens an image.
  public func addBlockNode(_ configuration: BlockNodeConfiguration) throws(MachineError) {
    do { try board.blockNodes.add(configuration) } catch { throw MachineError(error) }
  }

  /// Closes an image that nobody uses.
  public func removeBlockNode(_ name: String) throws(MachineError) {
    if let medium = board.blockNodes[name]?.medium, isInUse(medium) {
      throw MachineError("Node \(name) is in use")
    }
    try board.blockNodes.remove(name)
  }

  private func isInUse(_ medium: any BlockDevice) -> Bool { drives.contains { $0.medium === medium } }

  /// Makes the image of a drive or a node larger; the guest sees it when it asks its disk again.
  /// - Parameter byteCount: the new size in bytes; it is rounded up to sectors.
  public func resizeImage(ofDrive driveName: String?, orNode nodeName: String?, to byteCount: UInt64)
    throws(MachineError)
  {
    let drive = drives.first { drive in
      driveName.map { $0 == drive.name && !drive.isAnonymous } ?? false
        || nodeName.map { $0 == drive.nodeName ?? "#\(drive.name)" } ?? false
    }
    guard let medium = drive?.medium ?? nodeName.flatMap({ board.blockNodes[$0]?.medium }) else {
      if let driveName, drive != nil { throw MachineError("Device '\(driveName)' has no medium") }
      throw MachineError("Cannot find device='\(driveName ?? "")' nor node-name='\(nodeName ?? "")'")
    }
    guard !medium.isReadOnly else { throw MachineError("Image is read-only") }
    do throws(BlockError) {
      if let drive { try drive.resize(to: byteCount) } else { try medium.resize(to: byteCount) }
    } catch { throw MachineError(error) }
  }
}
