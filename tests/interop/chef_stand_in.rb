# Stands in for Chef, which cannot be had as the others can: evaluates a recipe and prints its resources as JSON.
# It knows the resources and properties below, and nothing of what Chef does with them.
require 'json'

COMMON = %i[owner group mode sensitive].freeze
PROPERTIES = {
  cookbook_file: COMMON + %i[source],
  directory: COMMON + %i[recursive],
  file: COMMON + %i[content],
  cron_d: %i[minute hour day month weekday user path mailto environment command],
}.freeze

# The block of one resource: every line of it is a property and its value.
class Properties < BasicObject
  def initialize(kind, found)
    @kind = kind
    @found = found
  end

  def method_missing(name, *values)
    ::Kernel.raise ::NoMethodError, "#{@kind} has no property '#{name}'" unless ::PROPERTIES[@kind].include?(name)
    ::Kernel.raise ::ArgumentError, "#{name} takes one value" unless values.size == 1
    @found[name] = values.first
  end

  def respond_to_missing?(*)
    true
  end
end

class Recipe
  attr_reader :resources

  def initialize(secret)
    @secret = secret
    @resources = []
  end

  def data_bag_item(*)
    Hash.new(@secret)
  end

  PROPERTIES.each_key do |kind|
    define_method(kind) do |name, &block|
      found = {}
      Properties.new(kind, found).instance_eval(&block)
      @resources << { kind: kind, name: name }.merge(found)
    end
  end
end

path, secret = ARGV
recipe = Recipe.new(secret)
recipe.instance_eval(File.read(path), path)
puts JSON.generate(recipe.resources)
