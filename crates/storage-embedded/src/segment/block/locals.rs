//! What a block holds of the run's columns, shapes, resources and scopes, numbered as it is met.

use super::layout::column;
use super::stamped::Stamped;
use crate::segment::values::RunValues;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Locals {
    /// The run's column of each of the block's attribute columns.
    pub(super) columns: Vec<u32>,
    /// Where each shape's columns begin in `shape_columns`, and where the last one's end.
    shapes: Vec<u32>,
    shape_columns: Vec<u32>,
    /// The run's resources and scopes.
    pub(super) resources: Vec<u32>,
    pub(super) scopes: Vec<u32>,
    column_of: Stamped,
    shape_of: Stamped,
    resource_of: Stamped,
    scope_of: Stamped,
}

impl Locals {
    pub(super) fn clear(&mut self) {
        self.columns.clear();
        self.shapes.clear();
        self.shapes.push(0);
        self.shape_columns.clear();
        self.resources.clear();
        self.scopes.clear();
        self.column_of.clear(0);
        self.shape_of.clear(0);
        self.resource_of.clear(0);
        self.scope_of.clear(0);
    }

    pub(super) fn shape_count(&self) -> u32 {
        self.shapes.len() as u32 - 1
    }

    /// The columns of a shape.
    #[inline]
    pub(super) fn columns_of(&self, shape: u32) -> &[u32] {
        let (from, to) = (self.shapes[shape as usize], self.shapes[shape as usize + 1]);
        &self.shape_columns[from as usize..to as usize]
    }

    /// The number of a shape of the run.
    #[inline]
    pub(super) fn shape(&mut self, run_shape: u32, values: &RunValues<'_>) -> u32 {
        if let Some(shape) = self.shape_of.get(run_shape) {
            return shape;
        }
        for &column in values.shape(run_shape) {
            let local = self.column(column);
            self.shape_columns.push(local);
        }
        let shape = self.shape_count();
        self.shapes.push(self.shape_columns.len() as u32);
        self.shape_of.set(run_shape, shape);
        shape
    }

    /// The number of a shape of the run that is here.
    pub(super) fn known_shape(&self, run_shape: u32) -> u32 {
        self.shape_of.get(run_shape).unwrap_or(0)
    }

    fn column(&mut self, run_column: u32) -> u32 {
        if let Some(column) = self.column_of.get(run_column) {
            return column;
        }
        let column = (column::ATTRIBUTES + self.columns.len()) as u32;
        self.columns.push(run_column);
        self.column_of.set(run_column, column);
        column
    }

    /// The number of a resource of the run.
    #[inline]
    pub(super) fn resource(&mut self, resource: u32, values: &RunValues<'_>) -> u32 {
        if let Some(local) = self.resource_of.get(resource) {
            return local;
        }
        self.shape(values.resource(resource).shape, values);
        let local = self.resources.len() as u32;
        self.resources.push(resource);
        self.resource_of.set(resource, local);
        local
    }

    /// The number of a scope of the run.
    pub(super) fn scope(&mut self, scope: u32, values: &RunValues<'_>) -> u32 {
        if let Some(local) = self.scope_of.get(scope) {
            return local;
        }
        self.shape(values.scope(scope).shape, values);
        let local = self.scopes.len() as u32;
        self.scopes.push(scope);
        self.scope_of.set(scope, local);
        local
    }
}
