// SPDX-License-Identifier: GPL-2.0-or-later

import Block
import Bus
import EventLoop

/// Opens the images of a machine.
struct DriveFactory {
  let loop: EventLoop
  unowned let control: any SystemControl

  /// Opens all images, in the order of the configuration.
  func open(_ configurations: [DriveConfiguration]) throws -> [Drive] {
    var drives: [Drive] = []
    do {
      for configuration in configurations { drives.append(try open(configuration)) }
    } catch {
      for drive in drives { drive.medium?.close() }
      throw error
    }
    return drives
  }

  private func open(_ configuration: DriveConfiguration) throws -> Drive {
    let index = configuration.position?.index ?? 0
    let drive = Drive(
      name: configuration.id ?? configuration.nodeName
        ?? "ide\(index / 2)-\(configuration.media == .disk ? "hd" : "cd")\(index & 1)",
      isAnonymous: configuration.id == nil
        && (configuration.nodeName != nil || configuration.deviceID != nil),
      deviceID: configuration.deviceID, nodeName: configuration.nodeName, kind: configuration.media,
      // As QEMU numbers its drives, so that a guest moved from there finds its disks by their serial numbers.
      serial: configuration.serial ?? "QM0000\(index + 1)",
      firmwareVersion: configuration.firmwareVersion ?? "1.0",
      medium: try configuration.file.map { try image($0, configuration) },
      writeErrorPolicy: configuration.writeErrorPolicy, readErrorPolicy: configuration.readErrorPolicy,
      cache: configuration.image.cache)
    stopsMachine(drive)
    return drive
  }

  /// A disk for something that is plugged in, on an image with a name of its own.
  /// - Parameter deviceID: `id=` of the device.
  func makeDisk(
    on node: BlockNodes.Node, medium: any BlockDevice, cache: CacheMode, deviceID: String?, serial: String?
  ) -> Drive {
    // What has no serial number has a name that no other has, of which there is room for this much.
    let drive = Drive(
      name: node.name, isAnonymous: true, deviceID: deviceID, nodeName: node.name, kind: .disk,
      serial: serial
        ?? String(
          node.name.unicodeScalars.filter { (0x20..<0x7F).contains($0.value) }.prefix(20).map(Character.init)),
      medium: medium, cache: cache)
    stopsMachine(drive)
    return drive
  }

  private func stopsMachine(_ drive: Drive) {
    drive.onStop = { [unowned control] in control.requestPause(reason: $0) }
  }

  private func image(_ path: String, _ configuration: DriveConfiguration) throws -> any BlockDevice {
    guard path.hasPrefix("blkdebug:") else { return try plainImage(path, configuration) }
    // blkdebug:RULES:IMAGE, where the rules' file may be left out.
    let parts = path.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, !parts[2].isEmpty else {
      throw MachineError("drive file=\(path): it is written blkdebug:RULES:IMAGE or blkdebug::IMAGE")
    }
    let rules = parts[1].isEmpty ? FaultRules() : try FaultRules(path: String(parts[1]))
    return FaultInjector(over: try plainImage(String(parts[2]), configuration), rules: rules)
  }

  private func plainImage(_ path: String, _ configuration: DriveConfiguration) throws -> any BlockDevice {
    guard configuration.isSnapshot else {
      return try RawImage.open(path: path, options: configuration.image, loop: loop)
    }
    var options = configuration.image
    options.isReadOnly = true
    let base = try RawImage.open(path: path, options: options, loop: loop)
    return try SnapshotOverlay(over: base, canDiscard: configuration.image.discard == .unmap, loop: loop)
  }

  /// The drives by channel and unit.
  static func arranged(_ drives: [Drive], as configurations: [DriveConfiguration]) -> [[Drive?]] {
    var places: [[Drive?]] = [[nil, nil], [nil, nil]]
    for (drive, configuration) in zip(drives, configurations) {
      guard let position = configuration.position else { continue }
      places[position.channel & 1][position.unit & 1] = drive
    }
    return places
  }
}
