// SPDX-License-Identifier: GPL-2.0-or-later

import Block
import EventLoop

/// Images with names of their own, whether a drive uses them or not. Called with the machine's lock held.
final class BlockNodes {
  /// One of them.
  final class Node {
    let configuration: BlockNodeConfiguration
    var name: String { configuration.name }
    /// The open image; nil while the node above has it.
    fileprivate(set) var medium: (any BlockDevice)?
    /// The node above.
    fileprivate(set) var parent: String?

    fileprivate init(_ configuration: BlockNodeConfiguration) { self.configuration = configuration }
  }

  /// More would only be somebody who never deletes one.
  static let limit = 1024

  private(set) var all: [Node] = []
  private let loop: EventLoop

  /// The nodes of the command line. Some images the drives have opened; the others are opened here.
  init(_ configurations: [BlockNodeConfiguration], drives: [Drive], loop: EventLoop) throws {
    self.loop = loop
    for configuration in configurations {
      let node = Node(configuration)
      node.medium = drives.first { $0.nodeName == node.name }?.medium
      if let file = configuration.fileNode { self[file]?.parent = node.name }
      all.append(node)
    }
    for node in all where node.medium == nil && node.parent == nil {
      node.medium = try open(node.configuration, over: file(of: node))
    }
  }

  subscript(name: String) -> Node? { all.first { $0.name == name } }

  /// The configuration of the node that holds another's bytes, if that is one of its own.
  func file(of node: Node) -> BlockNodeConfiguration? {
    node.configuration.fileNode.flatMap { self[$0]?.configuration }
  }

  /// How its image is opened.
  func cache(of node: Node) -> CacheMode {
    node.configuration.image(over: file(of: node))?.image.cache ?? .writeback
  }

  /// Whether an image is one of these, which its drive then leaves open.
  func owns(_ medium: any BlockDevice) -> Bool { all.contains { $0.medium === medium } }

  /// Opens an image.
  func add(_ configuration: BlockNodeConfiguration) throws {
    guard self[configuration.name] == nil else {
      throw MachineError("Duplicate nodes with node-name='\(configuration.name)'")
    }
    guard all.count < Self.limit else { throw MachineError("there are \(Self.limit) nodes already") }
    let node = Node(configuration)
    guard let name = configuration.fileNode else {
      node.medium = try open(configuration, over: nil)
      all.append(node)
      return
    }
    guard let file = self[name] else {
      throw MachineError("Cannot find device='\(name)' nor node-name='\(name)'")
    }
    guard file.configuration.driver != .raw, file.parent == nil, let old = file.medium else {
      throw MachineError("Node '\(name)' is in use")
    }
    // It is locked against others, and that it would be against us, too.
    old.close()
    file.medium = nil
    do {
      node.medium = try open(configuration, over: file.configuration)
    } catch {
      file.medium = try? open(file.configuration, over: nil)
      throw error
    }
    file.parent = node.name
    all.append(node)
  }

  /// Closes an image that nobody uses.
  func remove(_ name: String) throws(MachineError) {
    guard let index = all.firstIndex(where: { $0.name == name }) else {
      throw MachineError("Failed to find node with node-name='\(name)'")
    }
    guard all[index].parent == nil else { throw MachineError("Block device \(name) is in use") }
    let node = all.remove(at: index)
    node.medium?.close()
    if let file = node.configuration.fileNode.flatMap({ self[$0] }) {
      file.parent = nil
      file.medium = try? open(file.configuration, over: nil)
    }
  }

  private func open(_ configuration: BlockNodeConfiguration, over file: BlockNodeConfiguration?) throws
    -> any BlockDevice
  {
    guard let image = configuration.image(over: file), let path = image.file else {
      throw MachineError("the node '\(configuration.name)' has no file")
    }
    return try RawImage.open(path: path, options: image.image, loop: loop)
  }

  /// Closes all images; the drives close theirs, too, which does no harm.
  func close() { for node in all { node.medium?.close() } }
}
